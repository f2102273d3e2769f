/* The image references of a compose file, found without a YAML parser: every value of a key
 * "image", in block and flow style, quoted or plain, on its line or the next. What stands in
 * comments, block scalars and quoted text is passed over. For hints to people; nothing is decided
 * with it. */
#ifndef MEASURE_COMPOSE_IMAGES_H
#define MEASURE_COMPOSE_IMAGES_H

#include "common/base/arena.h"

enum { COMPOSE_IMAGES_MAX = 256 };

struct compose_image {
	char *reference; /* as written, without quotes */
	size_t line;     /* from 1 */
	bool pinned;     /* ends in @sha256: and 64 hex digits, with nothing to be substituted */
};

struct compose_images {
	struct compose_image *items;
	size_t count; /* at most COMPOSE_IMAGES_MAX; further ones are left out */
	size_t unpinned;
};

void compose_images_find(struct arena *arena, struct bytes yaml, struct compose_images *out);

#endif
