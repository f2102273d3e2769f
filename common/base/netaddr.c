#include "common/base/netaddr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The port of "host:port", and where the colon is; NULL when it is not one. */
static const char *split_port(const char *text, uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	const char *digits = colon != NULL ? colon + 1 : "";
	size_t len = strlen(digits);

	*port = 0;
	if (len == 0 || len > 5 || strspn(digits, "0123456789") != len)
		return NULL;
	unsigned long value = strtoul(digits, NULL, 10);
	if (value > 65535)
		return NULL;
	*port = (uint16_t)value;
	return colon;
}

int netaddr_parse(struct netaddr *out, const char *text, struct error *error)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	char host[INET6_ADDRSTRLEN] = "";
	uint16_t port;
	const char *end = split_port(text, &port);
	bool bracketed = text[0] == '[';

	*out = (struct netaddr){0};
	if (end != NULL && bracketed && (end - text < 2 || end[-1] != ']'))
		end = NULL;
	const char *begin = text + bracketed;
	size_t len = end != NULL ? (size_t)(end - begin) - bracketed : sizeof(host);
	if (len < sizeof(host)) {
		memcpy(host, begin, len);
		v4.sin_port = v6.sin6_port = htons(port);
		if (!bracketed && inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
			memcpy(&out->at, &v4, sizeof(v4));
			out->len = sizeof(v4);
			return 0;
		}
		if (bracketed && inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
			memcpy(&out->at, &v6, sizeof(v6));
			out->len = sizeof(v6);
			return 0;
		}
	}
	return error_set(error, ERR_INVALID,
	                 "found \"%s\"; expected a numeric address and a port, as in "
	                 "127.0.0.1:9464 or [::1]:9464",
	                 text);
}

bool netaddr_is_loopback(const struct netaddr *addr)
{
	if (addr->at.ss_family == AF_INET) {
		struct sockaddr_in v4;
		memcpy(&v4, &addr->at, sizeof(v4));
		return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
	}
	if (addr->at.ss_family != AF_INET6)
		return false;
	struct sockaddr_in6 v6;
	memcpy(&v6, &addr->at, sizeof(v6));
	return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) ||
	       (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && v6.sin6_addr.s6_addr[12] == 127);
}

char *netaddr_text(char text[NETADDR_TEXT_SIZE], const struct netaddr *addr)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (addr->at.ss_family == AF_INET6) {
		struct sockaddr_in6 v6;
		memcpy(&v6, &addr->at, sizeof(v6));
		inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof(host));
		snprintf(text, NETADDR_TEXT_SIZE, "[%s]:%u", host, ntohs(v6.sin6_port));
	} else {
		struct sockaddr_in v4;
		memcpy(&v4, &addr->at, sizeof(v4));
		inet_ntop(AF_INET, &v4.sin_addr, host, sizeof(host));
		snprintf(text, NETADDR_TEXT_SIZE, "%s:%u", host, ntohs(v4.sin_port));
	}
	return text;
}
