#include "common/base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	if (clock_gettime(id, &now) != 0) /* allowed: the one place that reads the clock */
		die("clock_gettime failed");
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct wall clock_wall(void)
{
	return (struct wall){read_clock(CLOCK_REALTIME)};
}

struct mono clock_mono(void)
{
	return (struct mono){read_clock(CLOCK_MONOTONIC)};
}

/* RFC 3339 has four digits for the year; what a chain or a file claims beyond is a bare number. */
#define YEAR_10000 253402300800LL

static bool date_text(char text[WALL_TEXT_SIZE], int64_t seconds, const char *format)
{
	time_t at = (time_t)seconds;
	struct tm parts;

	return seconds >= 0 && seconds < YEAR_10000 && gmtime_r(&at, &parts) != NULL &&
	       strftime(text, WALL_TEXT_SIZE, format, &parts) > 0;
}

char *wall_text_seconds(char text[WALL_TEXT_SIZE], uint64_t seconds)
{
	if (!date_text(text, seconds < YEAR_10000 ? (int64_t)seconds : -1, "%FT%TZ"))
		snprintf(text, WALL_TEXT_SIZE, "@%llu", (unsigned long long)seconds);
	return text;
}

char *wall_text(char text[WALL_TEXT_SIZE], struct wall at)
{
	if (at.ms < 0 || !date_text(text, at.ms / 1000, "%FT%T")) {
		snprintf(text, WALL_TEXT_SIZE, "@%lldms", (long long)at.ms);
		return text;
	}
	size_t len = strlen(text);
	snprintf(text + len, WALL_TEXT_SIZE - len, ".%03dZ", (int)(at.ms % 1000));
	return text;
}

/* The fraction of a second behind its point, in milliseconds; -1: not digits up to a final Z. */
static int64_t fraction_ms(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	int64_t ms = 0;

	if (digits == 0 || strcmp(text + digits, "Z") != 0)
		return -1;
	for (size_t i = 0; i < 3; i++)
		ms = ms * 10 + (i < digits ? text[i] - '0' : 0);
	return ms;
}

int wall_parse(struct wall *out, const char *text, struct error *error)
{
	static const char shape[] = "0000-00-00T00:00:00";
	char again[WALL_TEXT_SIZE];
	struct tm parts = {0};
	int64_t ms = 0;

	*out = (struct wall){0};
	/* strptime alone would accept blanks, signs and the 31st of February. */
	const char *rest = text != NULL ? strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) : NULL;
	if (rest == NULL || rest - text != (long)strlen(shape) || text[0] == '-')
		return error_set(error, ERR_INVALID, "expected a time like %sZ", shape);
	int64_t seconds = timegm(&parts);
	if (rest[0] == '.')
		ms = fraction_ms(rest + 1);
	else if (strcmp(rest, "Z") != 0)
		ms = -1;
	if (seconds < 0 || ms < 0 ||
	    strncmp(wall_text_seconds(again, (uint64_t)seconds), text, strlen(shape)) != 0)
		return error_set(error, ERR_INVALID, "\"%.40s\" is no time in UTC since 1970",
		                 text);
	*out = (struct wall){seconds * 1000 + ms};
	return 0;
}

static const struct {
	const char *unit;
	int64_t ms;
} units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

int duration_parse(int64_t *ms, const char *text, struct error *error)
{
	char *end;

	*ms = 0;
	if (text[0] >= '0' && text[0] <= '9') {
		unsigned long long count = strtoull(text, &end, 10);
		for (size_t i = 0; i < ARRAY_LEN(units); i++)
			if (strcmp(end, units[i].unit) == 0 &&
			    count <= (unsigned long long)(INT64_MAX / 4 / units[i].ms)) {
				*ms = (int64_t)count * units[i].ms;
				return 0;
			}
	}
	return error_set(error, ERR_INVALID,
	                 "\"%s\" is not a duration; expected a number and a unit: ms, s, m, h or d",
	                 text);
}

char *duration_text(char text[WALL_TEXT_SIZE], int64_t ms)
{
	size_t i = 0;

	while (ms == 0 ? strcmp(units[i].unit, "s") != 0 : ms % units[i].ms != 0)
		i++;
	snprintf(text, WALL_TEXT_SIZE, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
	return text;
}
