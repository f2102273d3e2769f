#include "common/crypto/timestamp.h"

#include "common/crypto/x509_internal.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ts.h>
#include <openssl/x509_vfy.h>

/* As for every chain: no SHA-1, no RSA under 2048. */
enum { SECURITY_LEVEL = 2 };

static TS_RESP *parse(struct bytes der, struct error *error)
{
	const unsigned char *at = der.data;
	TS_RESP *answer =
	        der.len > 0 && der.len <= INT32_MAX ? d2i_TS_RESP(NULL, &at, (long)der.len) : NULL;

	if (answer != NULL && at == der.data + der.len && TS_RESP_get_tst_info(answer) != NULL)
		return answer;
	TS_RESP_free(answer);
	error_set(error, ERR_INVALID, "it is no answer of a timestamp authority");
	return NULL;
}

/* Whoever may choose the hash could choose a broken one. */
static bool is_good_hash(TS_TST_INFO *info)
{
	const ASN1_OBJECT *name;

	X509_ALGOR_get0(&name, NULL, NULL,
	                TS_MSG_IMPRINT_get_algo(TS_TST_INFO_get_msg_imprint(info)));
	int id = OBJ_obj2nid(name);
	return id == NID_sha256 || id == NID_sha384 || id == NID_sha512;
}

static int read_info(TS_RESP *answer, int64_t *at, struct error *error)
{
	TS_TST_INFO *info = TS_RESP_get_tst_info(answer);

	if (!is_good_hash(info))
		return error_set(error, ERR_DENIED, "over another hash than SHA-256, 384 or 512");
	return x509_seconds(TS_TST_INFO_get_time(info), at) == 0
	               ? 0
	               : error_set(error, ERR_INVALID, "its time is none");
}

/* The root alone is trusted, at the time that the answer states: a true answer states a true one.
 */
static int make_store(X509_STORE **out, struct bytes root, int64_t at, struct error *error)
{
	X509 *anchor = x509_parse(root, error);

	*out = NULL;
	if (anchor == NULL)
		return error_prefix(error, "the root");
	*out = X509_STORE_new();
	if (*out == NULL || X509_STORE_add_cert(*out, anchor) != 1)
		die("OpenSSL is out of memory");
	X509_free(anchor);
	X509_VERIFY_PARAM *rules = X509_STORE_get0_param(*out);
	X509_VERIFY_PARAM_set_time(rules, at);
	X509_VERIFY_PARAM_set_auth_level(rules, SECURITY_LEVEL);
	return 0;
}

static int load_chain(STACK_OF(X509) * out, const struct bytes *chain, size_t count,
                      struct error *error)
{
	for (size_t i = 0; i + 1 < count; i++) {
		X509 *one = x509_parse(chain[i], error);
		if (one == NULL)
			return error_prefix(error, "certificate %zu", i);
		if (sk_X509_push(out, one) <= 0)
			die("OpenSSL is out of memory");
	}
	return 0;
}

/* store and certificates go with the context. */
static int verify(TS_RESP *answer, struct bytes message, X509_STORE *store,
                  STACK_OF(X509) * certificates, struct error *error)
{
	TS_VERIFY_CTX *context = TS_VERIFY_CTX_new();
	BIO *data = BIO_new_mem_buf(message.data, (int)message.len);

	if (context == NULL || data == NULL)
		die("OpenSSL is out of memory");
	TS_VERIFY_CTX_set_flags(context, TS_VFY_VERSION | TS_VFY_SIGNATURE | TS_VFY_DATA);
	TS_VERIFY_CTX_set_data(context, data);
	TS_VERIFY_CTX_set_store(context, store);
	TS_VERIFY_CTX_set_certs(context, certificates);
	int right = TS_RESP_verify_response(context, answer);
	unsigned long why = ERR_peek_last_error();
	TS_VERIFY_CTX_free(context);
	if (right == 1)
		return 0;
	const char *text = ERR_reason_error_string(why);
	return error_set(error, ERR_DENIED, "%s", text != NULL ? text : "it does not verify");
}

int timestamp_verify(struct bytes answer, struct bytes message, const struct bytes *chain,
                     size_t count, int64_t *at, struct error *error)
{
	STACK_OF(X509) *certificates = NULL;
	X509_STORE *store = NULL;
	struct error ignored;

	*at = 0;
	if (error == NULL)
		error = &ignored;
	if (count == 0 || message.len > INT32_MAX)
		return error_set(error, ERR_INVALID, "there is no root to lead to");
	TS_RESP *parsed = parse(answer, error);
	if (parsed == NULL) {
		ERR_clear_error();
		return ERR_INVALID;
	}
	certificates = sk_X509_new_null();
	int rc = read_info(parsed, at, error);
	if (rc == 0)
		rc = make_store(&store, chain[count - 1], *at, error);
	if (rc == 0)
		rc = load_chain(certificates, chain, count, error);
	if (rc == 0) {
		rc = verify(parsed, message, store, certificates, error);
	} else {
		X509_STORE_free(store);
		sk_X509_pop_free(certificates, X509_free);
	}
	TS_RESP_free(parsed);
	ERR_clear_error();
	if (rc != 0)
		*at = 0;
	return rc;
}
