#include "common/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int error_set(struct error *error, enum err code, const char *fmt, ...)
{
	if (error != NULL) {
		char text[sizeof(error->text)]; /* the old text may be among the arguments */
		va_list args;
		va_start(args, fmt);
		vsnprintf(text, sizeof(text), fmt, args);
		va_end(args);
		memcpy(error->text, text, strlen(text) + 1);
		error->code = code;
	}
	return code;
}

int error_set_errno(struct error *error, const char *fmt, ...)
{
	int saved = errno;

	if (error != NULL) {
		va_list args;
		va_start(args, fmt);
		int used = vsnprintf(error->text, sizeof(error->text), fmt, args);
		va_end(args);
		if (used >= 0 && (size_t)used < sizeof(error->text))
			snprintf(error->text + used, sizeof(error->text) - (size_t)used, ": %s",
			         strerror(saved));
		error->code = ERR_IO;
	}
	errno = saved;
	return ERR_IO;
}

int error_prefix(struct error *error, const char *fmt, ...)
{
	char prefix[256];
	char whole[sizeof(prefix) + sizeof(error->text) + 2];
	va_list args;

	va_start(args, fmt);
	vsnprintf(prefix, sizeof(prefix), fmt, args);
	va_end(args);
	snprintf(whole, sizeof(whole), "%s: %s", prefix, error->text);
	whole[sizeof(error->text) - 1] = '\0';
	memcpy(error->text, whole, strlen(whole) + 1);
	return error->code;
}

void die_at(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	/* stderr directly: the logger may be what is broken. <2> is journald's "critical". */
	fprintf(stderr, "<2>%s:%d: ", file, line);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

static void *checked(void *memory, unsigned long size)
{
	if (memory == NULL)
		die("out of memory (%lu bytes)", size);
	return memory;
}

void *xmalloc(unsigned long size)
{
	return checked(malloc(size > 0 ? size : 1), size);
}

void *xcalloc(unsigned long count, unsigned long size)
{
	return checked(calloc(count > 0 ? count : 1, size > 0 ? size : 1), size);
}

void *xrealloc(void *old, unsigned long size)
{
	return checked(realloc(old, size > 0 ? size : 1), size);
}

char *xstrdup(const char *text)
{
	size_t len = strlen(text);
	return memcpy(xmalloc(len + 1), text, len + 1);
}

char *xasprintf(const char *fmt, ...)
{
	va_list args;
	char *text = NULL;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		die("out of memory in xasprintf");
	va_end(args);
	return text;
}
