/* The server's side of TLS: its certificate, its key, and sessions for libevent to drive. */
#ifndef CRYPTO_TLS_H
#define CRYPTO_TLS_H

#include "common/base/error.h"

struct tls_server;
struct ssl_st; /* OpenSSL's SSL */

/* TLS 1.2 and 1.3. Reads both files (PEM; the key without a password) and checks that they belong
 * together; no error text holds content of the key. */
int tls_server_new(struct tls_server **out, const char *cert_file, const char *key_file,
                   struct error *error) MUST_USE;
void tls_server_free(struct tls_server *server); /* NULL is fine; sessions live on */

/* A session in accepting state; the caller's, in practice a bufferevent's. */
struct ssl_st *tls_server_session(struct tls_server *server);

/* Forgets what OpenSSL noted about failures, which are the peer's. */
void tls_clear_errors(void);

#endif
