/* The only place that reads a clock. Logic takes `now` as an argument. Wall time is for people
 * and records, monotonic time for waiting; the types differ so that they cannot be mixed. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "common/base/error.h"

#include <stdint.h>

struct wall {
	int64_t ms;
}; /* since 1970-01-01 UTC */
struct mono {
	int64_t ms;
}; /* since some point before the program started */

#define WALL_TEXT_SIZE 32

struct wall clock_wall(void);
struct mono clock_mono(void);

/* RFC 3339 in UTC with milliseconds, e.g. 2026-01-02T03:04:05.678Z. Returns text. */
char *wall_text(char text[WALL_TEXT_SIZE], struct wall at);
/* For seconds since the epoch, as chains give them: 2026-01-02T03:04:05Z. Returns text. Both write
 * what lies outside the years 1970 to 9999 as "@" and the number. */
char *wall_text_seconds(char text[WALL_TEXT_SIZE], uint64_t seconds);

/* Reads RFC 3339 in UTC ("Z" at its end), with or without a fraction of a second, of the years 1970
 * to 9999. ERR_INVALID, also for NULL. */
int wall_parse(struct wall *out, const char *text, struct error *error) MUST_USE;

/* Reads "500ms", "10s", "5m", "72h", "14d" (a unit is required, "0" is not) into milliseconds. */
int duration_parse(int64_t *ms, const char *text, struct error *error) MUST_USE;
/* The shortest exact form of the same syntax, e.g. 90000 -> "90s". Returns text. */
char *duration_text(char text[WALL_TEXT_SIZE], int64_t ms);

#endif
