#include "daemon/watch/endpoint.h"

#include <ctype.h>
#include <string.h>

enum { ID_DIGITS = 40, SPREAD = 10 };

/* The length of "<40 hex digits>[-port][s|g]." at the front, or 0. */
static size_t app_label(const char *host, size_t len)
{
	size_t at = 0;

	while (at < len && isxdigit((unsigned char)host[at]))
		at++;
	if (at != ID_DIGITS)
		return 0;
	if (at < len && host[at] == '-')
		for (at++; at < len && isdigit((unsigned char)host[at]);)
			at++;
	if (at < len && (host[at] == 's' || host[at] == 'g'))
		at++;
	return at + 1 < len && host[at] == '.' ? at + 1 : 0;
}

char *endpoint_host(const char *url)
{
	const char *start = strstr(url, "://");
	const char *host = start != NULL ? start + 3 : url;
	size_t len = strcspn(host, "/?#"), label = app_label(host, len);
	char *out = xasprintf("%.*s", (int)(len - label), host + label);

	for (char *p = out; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return out;
}

int64_t endpoint_pause(int64_t every_ms, unsigned failures, uint32_t random)
{
	int64_t longest =
	        every_ms > ENDPOINT_LONGEST_PAUSE_MS ? every_ms : ENDPOINT_LONGEST_PAUSE_MS;
	int64_t pause = every_ms;

	for (unsigned i = 0; i < failures && pause < longest; i++)
		pause *= 2;
	if (pause > longest)
		pause = longest;
	int64_t spread = pause / SPREAD;
	return pause - spread + (int64_t)(((uint64_t)random * (uint64_t)(2 * spread)) >> 32);
}
