/*
 * The files that Go's standard library opens: time zones, certificates of authorities, names
 * of media types, services and protocols. What the host has is taken from there; the rest, and
 * what must not be the host's (users, names of hosts), the kernel makes (kernel/fs/etc.c).
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/file_tree.h"
#include "cli/go_root.h"
#include "cli/zip.h"
#include "host/alloc.h"

/* Where distributions keep them, as crypto/x509 looks for them. */
static const char *const certificates[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/cert.pem",
};

static const char media_types[] =
	"application/epub+zip\tepub\n"
	"application/gzip\tgz\n"
	"application/javascript\tjs mjs\n"
	"application/json\tjson map\n"
	"application/msword\tdoc\n"
	"application/octet-stream\tbin exe iso\n"
	"application/pdf\tpdf\n"
	"application/rtf\trtf\n"
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet\txlsx\n"
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document\tdocx\n"
	"application/wasm\twasm\n"
	"application/xml\txml\n"
	"application/zip\tzip\n"
	"audio/mpeg\tmp3\n"
	"audio/ogg\toga ogg opus\n"
	"audio/wav\twav\n"
	"font/otf\totf\n"
	"font/ttf\tttf\n"
	"font/woff\twoff\n"
	"font/woff2\twoff2\n"
	"image/avif\tavif\n"
	"image/gif\tgif\n"
	"image/jpeg\tjpeg jpg\n"
	"image/png\tpng\n"
	"image/svg+xml\tsvg svgz\n"
	"image/vnd.microsoft.icon\tico\n"
	"image/webp\twebp\n"
	"text/calendar\tics\n"
	"text/css\tcss\n"
	"text/csv\tcsv\n"
	"text/html\thtml htm\n"
	"text/markdown\tmd markdown\n"
	"text/plain\ttxt log\n"
	"video/mp4\tmp4\n"
	"video/webm\twebm\n";

static bool is_missing(struct file_tree *tree, const char *path)
{
	const struct file_node *node = file_tree_find(tree, path, true);

	/* What containers mount over is often left empty. */
	return node == NULL || (S_ISREG(node->mode) && node->bytes == 0 && !node->same_file);
}

/* A file of the host, whatever links lead to it. */
static bool take(struct file_tree *tree, const char *host, const char *guest)
{
	if (access(host, R_OK) != 0)
		return false;
	file_tree_add(tree, host, guest, false);
	return true;
}

static void add_time_zones(struct file_tree *tree)
{
	if (!is_missing(tree, "/usr/share/zoneinfo"))
		return;
	if (!take(tree, "/usr/share/zoneinfo", "/usr/share/zoneinfo")) {
		char *root = go_root_find();
		char *path = alloc_text("%s/lib/time/zoneinfo.zip", root != NULL ? root : "");

		if (access(path, R_OK) == 0)
			zip_add(tree, path, "/usr/share/zoneinfo");
		free(path);
		free(root);
	}
	if (is_missing(tree, "/etc/localtime") && !is_missing(tree, "/usr/share/zoneinfo/UTC"))
		file_tree_put_link(tree, "/etc/localtime", "/usr/share/zoneinfo/UTC");
}

static void add_certificates(struct file_tree *tree)
{
	for (size_t i = 0; i < ARRAY_SIZE(certificates); i++) {
		if (is_missing(tree, certificates[0]) &&
			take(tree, certificates[i], certificates[0]))
			break;
	}
}

static void add_names(struct file_tree *tree)
{
	if (is_missing(tree, "/etc/mime.types") &&
		!take(tree, "/etc/mime.types", "/etc/mime.types"))
		file_tree_put_text(tree, "/etc/mime.types", media_types);
	if (is_missing(tree, "/etc/services"))
		(void)take(tree, "/etc/services", "/etc/services");
	if (is_missing(tree, "/etc/protocols"))
		(void)take(tree, "/etc/protocols", "/etc/protocols");
}

void file_tree_add_defaults(struct file_tree *tree, unsigned wanted)
{
	if (wanted & DEFAULT_TIME_ZONES)
		add_time_zones(tree);
	if (wanted & DEFAULT_CERTIFICATES)
		add_certificates(tree);
	if (wanted & DEFAULT_NAMES)
		add_names(tree);
}
