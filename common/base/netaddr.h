/* Where a socket listens: a numeric address with a port, as the configuration writes it. */
#ifndef BASE_NETADDR_H
#define BASE_NETADDR_H

#include "common/base/error.h"

#include <stdbool.h>
#include <sys/socket.h>

struct netaddr {
	struct sockaddr_storage at;
	socklen_t len;
};

/* Reads "127.0.0.1:9464" or "[::1]:9464"; names are not looked up. Port 0 lets the system choose.
 */
int netaddr_parse(struct netaddr *out, const char *text, struct error *error) MUST_USE;
/* Whether only this machine reaches it: 127.0.0.0/8, ::1, and the former as IPv6. */
bool netaddr_is_loopback(const struct netaddr *addr);

/* "127.0.0.1:9464". Returns text. */
#define NETADDR_TEXT_SIZE 64
char *netaddr_text(char text[NETADDR_TEXT_SIZE], const struct netaddr *addr);

#endif
