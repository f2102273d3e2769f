#include "common/crypto/x509_internal.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <string.h>

int x509_seconds(const ASN1_TIME *time, int64_t *out)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days, seconds;

	if (epoch == NULL)
		die("OpenSSL is out of memory");
	int ok = ASN1_TIME_diff(&days, &seconds, epoch, time);
	ASN1_TIME_free(epoch);
	*out = ok == 1 ? (int64_t)days * 86400 + seconds : 0;
	return ok == 1 ? 0 : -1;
}

int x509_validity(struct bytes der, int64_t *from, int64_t *until, struct error *error)
{
	*from = *until = 0;
	X509 *certificate = x509_parse(der, error);
	if (certificate == NULL)
		return ERR_INVALID;
	int rc = 0;
	if (x509_seconds(X509_get0_notBefore(certificate), from) != 0 ||
	    x509_seconds(X509_get0_notAfter(certificate), until) != 0) {
		*from = *until = 0;
		rc = error_set(error, ERR_INVALID, "the certificate's validity is not a time");
	}
	X509_free(certificate);
	ERR_clear_error();
	return rc;
}

/* Takes over what an i2d function gave. */
static struct bytes keep(struct arena *arena, unsigned char *raw, int len)
{
	struct bytes out =
	        len > 0 ? arena_copy(arena, bytes_of(raw, (size_t)len)) : bytes_of(NULL, 0);
	OPENSSL_free(raw);
	return out;
}

int x509_public_key(struct arena *arena, struct bytes *out, struct bytes der, struct error *error)
{
	unsigned char *raw = NULL;

	*out = bytes_of(NULL, 0);
	X509 *certificate = x509_parse(der, error);
	if (certificate == NULL)
		return ERR_INVALID;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &raw);
	*out = keep(arena, raw, len);
	X509_free(certificate);
	ERR_clear_error();
	return out->len > 0 ? 0 : error_set(error, ERR_INVALID, "the certificate has no key");
}

/* Its position, or -1: ERR_NOT_FOUND or ERR_INVALID. */
static int find(const X509 *certificate, const char *oid, struct error *error)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);

	if (object == NULL)
		die("\"%s\" is not an object identifier", oid);
	int at = X509_get_ext_by_OBJ(certificate, object, -1);
	int again = at < 0 ? -1 : X509_get_ext_by_OBJ(certificate, object, at);
	ASN1_OBJECT_free(object);
	if (at < 0)
		error_set(error, ERR_NOT_FOUND, "the certificate has no extension %s", oid);
	else if (again >= 0)
		error_set(error, ERR_INVALID, "the certificate has extension %s twice", oid);
	return again >= 0 ? -1 : at;
}

int x509_extension(struct arena *arena, struct bytes *out, struct bytes der, const char *oid,
                   struct error *error)
{
	struct error local;

	*out = bytes_of(NULL, 0);
	X509 *certificate = x509_parse(der, error);
	if (certificate == NULL)
		return ERR_INVALID;
	int at = find(certificate, oid, &local);
	if (at >= 0) {
		const ASN1_OCTET_STRING *value =
		        X509_EXTENSION_get_data(X509_get_ext(certificate, at));
		*out = arena_copy(arena, bytes_of(ASN1_STRING_get0_data(value),
		                                  (size_t)ASN1_STRING_length(value)));
	}
	X509_free(certificate);
	ERR_clear_error();
	return at >= 0 ? 0 : error_set(error, (enum err)local.code, "%s", local.text);
}

/* The text, or NULL when a NUL hides in it. */
static char *plain_text(struct arena *arena, const ASN1_STRING *value)
{
	struct bytes text =
	        bytes_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));

	if (text.len > 0 && memchr(text.data, 0, text.len) != NULL)
		return NULL;
	return arena_text(arena, text);
}

int x509_extension_text(struct arena *arena, char **out, struct bytes der, const char *oid,
                        struct error *error)
{
	struct bytes content;

	*out = NULL;
	int rc = x509_extension(arena, &content, der, oid, error);
	if (rc != 0)
		return rc;
	const unsigned char *at = content.data;
	ASN1_UTF8STRING *value = d2i_ASN1_UTF8STRING(NULL, &at, (long)content.len);
	if (value != NULL && at == content.data + content.len)
		*out = plain_text(arena, value);
	ASN1_UTF8STRING_free(value);
	ERR_clear_error();
	return *out != NULL ? 0
	                    : error_set(error, ERR_INVALID, "extension %s: expected one UTF-8 text",
	                                oid);
}

int x509_uri(struct arena *arena, char **out, struct bytes der, struct error *error)
{
	*out = NULL;
	X509 *certificate = x509_parse(der, error);
	if (certificate == NULL)
		return ERR_INVALID;
	/* NULL also when the extension is there twice. */
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	if (names != NULL && sk_GENERAL_NAME_num(names) == 1) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, 0);
		if (name->type == GEN_URI)
			*out = plain_text(arena, name->d.uniformResourceIdentifier);
	}
	GENERAL_NAMES_free(names);
	X509_free(certificate);
	ERR_clear_error();
	return *out != NULL ? 0
	                    : error_set(error, ERR_INVALID,
	                                "the certificate does not name exactly one URI");
}

bool x509_signs_code(struct bytes der)
{
	X509 *certificate = x509_parse(der, NULL);

	if (certificate == NULL)
		return false;
	uint32_t flags = X509_get_extension_flags(certificate);
	bool allowed = (flags & EXFLAG_XKUSAGE) != 0 && (flags & EXFLAG_INVALID) == 0 &&
	               (X509_get_extended_key_usage(certificate) & XKU_CODE_SIGN) != 0;
	X509_free(certificate);
	ERR_clear_error();
	return allowed;
}

int x509_tbs_without(struct arena *arena, struct bytes *out, struct bytes der, const char *oid,
                     struct error *error)
{
	struct error local;
	unsigned char *raw = NULL;

	*out = bytes_of(NULL, 0);
	X509 *certificate = x509_parse(der, error);
	if (certificate == NULL)
		return ERR_INVALID;
	int rc = 0, at = find(certificate, oid, &local);
	if (at < 0) {
		rc = error_set(error, (enum err)local.code, "%s", local.text);
	} else {
		X509_EXTENSION_free(X509_delete_ext(certificate, at));
		*out = keep(arena, raw, i2d_re_X509_tbs(certificate, &raw));
		if (out->len == 0)
			rc = error_set(error, ERR_INVALID, "the certificate cannot be written");
	}
	X509_free(certificate);
	ERR_clear_error();
	return rc;
}
