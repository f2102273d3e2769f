#include "common/crypto/tls.h"

#include "common/crypto/hash.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

struct tls_server {
	SSL_CTX *context;
};

/* OpenSSL would ask a terminal for the pass phrase of an encrypted key. */
static int no_pass_phrase(char *buffer, int size, int writing, void *arg)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static const char *reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	return text != NULL ? text : "unreadable";
}

static int load(SSL_CTX *context, const char *cert_file, const char *key_file, struct error *error)
{
	SSL_CTX_set_default_passwd_cb(context, no_pass_phrase);
	if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1)
		return error_set(error, ERR_INVALID, "tls_cert_file %s: %s; expected PEM",
		                 cert_file, reason());
	if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1)
		return error_set(error, ERR_INVALID,
		                 "tls_key_file %s: %s; expected PEM without a password", key_file,
		                 reason());
	if (SSL_CTX_check_private_key(context) != 1)
		return error_set(error, ERR_INVALID, "tls_key_file %s is not the key of %s",
		                 key_file, cert_file);
	return 0;
}

int tls_server_new(struct tls_server **out, const char *cert_file, const char *key_file,
                   struct error *error)
{
	*out = NULL;
	crypto_init();
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1)
		die("OpenSSL has no TLS server");
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	                                     SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* Nothing is kept between connections. */
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	int rc = load(context, cert_file, key_file, error);
	ERR_clear_error();
	if (rc != 0) {
		SSL_CTX_free(context);
		return rc;
	}
	*out = xcalloc(1, sizeof(**out));
	(*out)->context = context;
	return 0;
}

void tls_server_free(struct tls_server *server)
{
	if (server == NULL)
		return;
	SSL_CTX_free(server->context);
	free(server);
}

struct ssl_st *tls_server_session(struct tls_server *server)
{
	SSL *session = SSL_new(server->context);

	if (session == NULL)
		die("OpenSSL is out of memory");
	return session;
}

void tls_clear_errors(void)
{
	ERR_clear_error();
}
