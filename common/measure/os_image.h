/* Digests of dstack OS images. os_image_hash is SHA-256 of sha256sum.txt, which lists the image's
 * files; digest.txt repeats it (releases from 0.5.1 on; older ones have no os_image_hash). */
#ifndef MEASURE_OS_IMAGE_H
#define MEASURE_OS_IMAGE_H

#include "common/measure/check.h"

enum { OS_IMAGE_MAX_CHECKSUMS = 64 * 1024, OS_IMAGE_MAX_FILES = 64 };

/* SHA-256 of the file of that name in the image's folder (never one with a slash in it).
 * ERR_NOT_FOUND when there is none; any other error ends the reading. */
typedef int os_image_hash_fn(void *arg, const char *name, struct hash32 *out, struct error *error);

struct os_image_input {
	struct bytes checksums; /* sha256sum.txt; data NULL: there is none */
	struct bytes digest;    /* digest.txt; likewise */
	os_image_hash_fn *hash; /* NULL: no file is at hand */
	void *arg;
};

enum os_image_file_state { OS_IMAGE_ABSENT, OS_IMAGE_SAME, OS_IMAGE_DIFFERENT };

struct os_image_file {
	char *name;
	struct hash32 listed;
	enum os_image_file_state state;
};

#define OS_IMAGE_CHECK_DIGEST "digest" /* digest.txt is the digest of sha256sum.txt */
#define OS_IMAGE_CHECK_FILES                                                                       \
	"files" /* the listed files have the listed digests; undecided                             \
	         * while some of them are not there */

struct os_image {
	struct hash32 value;
	struct os_image_file *files; /* as listed */
	size_t file_count;
	struct checks checks;
	bool recomputed; /* every listed file was there and all checks passed */
};

/* 0 with *out filled, also when a check failed; ERR_INVALID: broken, or neither file is there;
 * else what the callback returned. */
int os_image_read(struct arena *arena, const struct os_image_input *input, struct os_image *out,
                  struct error *error) MUST_USE;

/* The measurement material that vm_config (JSON text) of release 0.6 carries for one platform. */
struct os_image_material {
	const char *platform;     /* "tdx", "snp", "gcp" or "aws" */
	struct bytes checksums;   /* sha256sum.txt */
	struct bytes measurement; /* CBOR */
	bool has_mrtd;            /* of "tdx": the MRTDs this image can have */
	struct bytes mrtd_single_pass, mrtd_two_pass;
};

enum { OS_IMAGE_PLATFORMS = 4 };

#define OS_IMAGE_CHECK_VALUE "image-checksums"         /* they give os_image_hash */
#define OS_IMAGE_CHECK_MEASUREMENT "image-measurement" /* they list the measurement */

struct os_image_config {
	bool has_value; /* os_image_hash is set; a claim, unless there is material for it */
	struct hash32 value;
	struct os_image_material materials[OS_IMAGE_PLATFORMS];
	size_t material_count;
	struct checks checks; /* two for each material */
};

/* ERR_INVALID: not such a text, or base64 or hex in it is broken. */
int os_image_config_read(struct arena *arena, struct bytes vm_config, struct os_image_config *out,
                         struct error *error) MUST_USE;

#endif
