/* Reads zip archives whose members are stored as they are: Go's zoneinfo.zip. */
#ifndef CLI_ZIP_H
#define CLI_ZIP_H

#include "cli/file_tree.h"

/* The members below the directory `guest`. Ends the command if the archive is damaged or
 * compressed. */
void zip_add(struct file_tree *tree, const char *path, const char *guest);

#endif
