/* The one error idiom. A function that can fail on outside input returns 0 or a negative enum err,
 * clears its outputs first, and describes the failure in *error. Running out of memory and broken
 * invariants do not return: they abort (see die()). */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "common/base/macros.h"

#include <stdarg.h>

enum err {
	ERR_INVALID = -1,     /* the input is malformed or contradicts itself */
	ERR_LIMIT = -2,       /* the input is larger than we accept */
	ERR_NOT_FOUND = -3,   /* no such thing */
	ERR_CONFLICT = -4,    /* the state is not what the caller expected */
	ERR_IO = -5,          /* the operating system said no; text holds errno's message */
	ERR_UNAVAILABLE = -6, /* an outside party did not answer, or not usably; worth a retry */
	ERR_DENIED = -7,      /* understood and refused by policy */
};

struct error {
	int code;       /* 0 or an enum err */
	char text[512]; /* for people; bytes from outside are escaped when it is logged */
};

/* Fills *error (which may be NULL) and returns code, so that callers can write
 * `return error_set(error, ERR_INVALID, "...")`. */
int error_set(struct error *error, enum err code, const char *fmt, ...) PRINTF(3, 4);

/* Like error_set with ERR_IO and ": <strerror(errno)>" appended. Keeps errno. */
int error_set_errno(struct error *error, const char *fmt, ...) PRINTF(2, 3);

/* Puts "<prefix>: " before the text that is already in *error and returns error->code.
 * Used to add the file or field on the way up. error must not be NULL. */
int error_prefix(struct error *error, const char *fmt, ...) PRINTF(2, 3);

/* A broken invariant or no memory: says where, and aborts. Never for outside input. */
_Noreturn void die_at(const char *file, int line, const char *fmt, ...) PRINTF(3, 4);
#define die(...) die_at(__FILE__, __LINE__, __VA_ARGS__)

/* malloc family that never returns NULL (aborts). Free with free(). */
void *xmalloc(unsigned long size) __attribute__((malloc, returns_nonnull));
void *xcalloc(unsigned long count, unsigned long size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *old, unsigned long size) __attribute__((returns_nonnull));
char *xstrdup(const char *text) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...) PRINTF(1, 2);

#endif
