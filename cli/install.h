/* Finds the files that were installed with the command: monitor and kernel. */
#ifndef CLI_INSTALL_H
#define CLI_INSTALL_H

/*
 * Path of `name`: in $BURROW_LIBEXEC if that is set, else beside the command, else in
 * ../libexec/burrow from there. NULL if it is in none of them.
 */
char *install_find(const char *name);

/* The places install_find() looks in, for messages. */
char *install_places(void);

#endif
