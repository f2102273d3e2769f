#include "common/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The logger's two settings are per process by nature (docs/HACKING.md lists all such state). */
static enum log_level lowest = LOG_INFO;
static const char *role_name;

void log_set_level(enum log_level level)
{
	lowest = level;
}

void log_set_role(const char *role)
{
	role_name = role;
}

static int journald_level(enum log_level level)
{
	switch (level) {
	case LOG_DEBUG:
		return 7;
	case LOG_INFO:
		return 6;
	case LOG_UNUSUAL:
		return 4;
	case LOG_BROKEN:
		return 3;
	}
	return 3;
}

static size_t escape(char *out, size_t size, const char *in)
{
	static const char digits[] = "0123456789abcdef";
	size_t used = 0;

	for (; *in != '\0' && used + 5 < size; in++) {
		unsigned char c = (unsigned char)*in;
		if (c >= 0x20 && c < 0x7f) {
			out[used++] = (char)c;
		} else {
			out[used++] = '\\';
			out[used++] = 'x';
			out[used++] = digits[c >> 4];
			out[used++] = digits[c & 15];
		}
	}
	return used;
}

void log_line(enum log_level level, const char *context, const char *fmt, ...)
{
	char text[2048], line[4096];
	int saved = errno;
	va_list args;

	if (level < lowest)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);

	int head = snprintf(line, 16, "<%d>", journald_level(level));
	size_t used = (size_t)head;
	if (role_name != NULL) {
		used += escape(line + used, 32, role_name);
		memcpy(line + used, ": ", 2);
		used += 2;
	}
	if (context != NULL) {
		used += escape(line + used, 256, context);
		memcpy(line + used, ": ", 2);
		used += 2;
	}
	used += escape(line + used, sizeof(line) - used - 1, text);
	line[used++] = '\n';
	/* One write: lines of several processes on the same stderr do not mix. */
	ssize_t ignored = write(STDERR_FILENO, line, used);
	(void)ignored;
	errno = saved;
}
