#include "common/crypto/x509_internal.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

/* 112 bits: no SHA-1, no RSA under 2048. */
enum { SECURITY_LEVEL = 2 };

struct path {
	STACK_OF(X509) * certificates; /* leaf first */
	X509_STORE *anchors;           /* the root alone */
};

static void path_free(struct path *path)
{
	sk_X509_pop_free(path->certificates, X509_free);
	X509_STORE_free(path->anchors);
}

static int path_load(struct path *path, const struct bytes *ders, size_t count, struct bytes root,
                     struct error *error)
{
	struct error local;

	*path = (struct path){sk_X509_new_null(), X509_STORE_new()};
	if (path->certificates == NULL || path->anchors == NULL)
		die("OpenSSL is out of memory");
	for (size_t i = 0; i < count; i++) {
		X509 *one = x509_parse(ders[i], &local);
		if (one == NULL)
			return error_set(error, ERR_INVALID, "certificate %zu: %s", i, local.text);
		if (sk_X509_push(path->certificates, one) <= 0)
			die("OpenSSL is out of memory");
	}
	X509 *anchor = x509_parse(root, &local);
	if (anchor == NULL)
		return error_set(error, ERR_INVALID, "the root: %s", local.text);
	if (X509_STORE_add_cert(path->anchors, anchor) != 1)
		die("OpenSSL is out of memory");
	X509_free(anchor);
	return 0;
}

static int judge(X509_STORE_CTX *context, size_t count, struct error *error)
{
	/* OpenSSL leaves out what it does not need; a path with strangers in it is not one. */
	if (X509_verify_cert(context) == 1) {
		int used = sk_X509_num(X509_STORE_CTX_get0_chain(context));
		if (used == (int)count + 1)
			return 0;
		return error_set(error, ERR_DENIED, "%d of %zu certificates lead to the root",
		                 used - 1, count);
	}
	return error_set(error, ERR_DENIED, "certificate %d: %s",
	                 X509_STORE_CTX_get_error_depth(context),
	                 X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
}

int x509_chain_verify(const struct bytes *path, size_t count, struct bytes root, int64_t at,
                      struct error *error)
{
	struct path loaded;
	struct error ignored;

	if (error == NULL)
		error = &ignored;
	if (count == 0 || count > X509_CHAIN_MAX)
		return error_set(error, ERR_INVALID,
		                 "a chain of %zu certificates, expected 1 to %d", count,
		                 X509_CHAIN_MAX);
	int rc = path_load(&loaded, path, count, root, error);
	if (rc == 0) {
		X509_STORE_CTX *context = X509_STORE_CTX_new();
		if (context == NULL || X509_STORE_CTX_init(context, loaded.anchors,
		                                           sk_X509_value(loaded.certificates, 0),
		                                           loaded.certificates) != 1)
			die("OpenSSL is out of memory");
		X509_VERIFY_PARAM *rules = X509_STORE_CTX_get0_param(context);
		X509_VERIFY_PARAM_set_time(rules, at);
		X509_VERIFY_PARAM_set_depth(rules, X509_CHAIN_MAX + 1);
		X509_VERIFY_PARAM_set_auth_level(rules, SECURITY_LEVEL);
		rc = judge(context, count, error);
		X509_STORE_CTX_free(context);
	}
	path_free(&loaded);
	ERR_clear_error();
	return rc;
}
