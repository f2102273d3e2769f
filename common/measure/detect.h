/* One entry for every format: looks at an artifact's first bytes and its name, and measures it. */
#ifndef MEASURE_DETECT_H
#define MEASURE_DETECT_H

#include "common/measure/hasher.h"
#include "common/measure/measurement.h"
#include "common/measure/source.h"

/* Reads the artifact once. Of a file that is none of ours no more than 64 bytes (or, if it looks
 * like text, GUEST_MAX_TEXT) are read. 0 with *out filled, refused or not; ERR_IO when reading
 * fails. */
int measure_source(struct arena *arena, struct source *source, const struct measure_how *how,
                   struct hasher *hasher, struct measured *out, struct error *error) MUST_USE;
/* The same for a descriptor, which stays the caller's; its position is neither used nor moved. */
int measure_fd(struct arena *arena, int fd, const struct measure_how *how, struct hasher *hasher,
               struct measured *out, struct error *error) MUST_USE;

/* What a file claims to be by its name alone: for one whose bytes could not be measured. */
enum format format_of_name(const char *name);

#endif
