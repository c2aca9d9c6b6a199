/* `burrow image inspect` and `burrow image sbom`. */
#ifndef CLI_IMAGE_INSPECT_H
#define CLI_IMAGE_INSPECT_H

/* What a built file holds and asks for. Return the exit status. */
int image_inspect(const char *path);
/* Its program's modules as CycloneDX 1.5, JSON, on stdout. */
int image_sbom(const char *path);

#endif
