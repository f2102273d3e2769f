#include "common/crypto/x509.h"

#include "common/crypto/x509_internal.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

static const struct curve {
	const char *group;
	unsigned bits;
	size_t field; /* bytes of r and of s */
	const EVP_MD *(*hash)(void);
} curves[] = {
        {SN_X9_62_prime256v1, 256, 32, EVP_sha256},
        {SN_secp384r1, 384, 48, EVP_sha384},
        {SN_secp521r1, 521, 66, EVP_sha512},
};

/* OpenSSL would ask a terminal for the pass phrase of an encrypted PEM block. */
static int no_pass_phrase(char *buffer, int size, int writing, void *arg)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

int x509_from_pem(struct arena *arena, struct bytes *der, struct bytes pem, struct error *error)
{
	unsigned char *raw = NULL;
	int rc = 0;

	*der = bytes_of(NULL, 0);
	if (pem.len == 0 || pem.len > INT32_MAX)
		return error_set(error, ERR_INVALID, "a PEM certificate of %zu bytes", pem.len);
	BIO *in = BIO_new_mem_buf(pem.data, (int)pem.len);
	if (in == NULL)
		die("OpenSSL is out of memory");
	X509 *certificate = PEM_read_bio_X509(in, NULL, no_pass_phrase, NULL);
	int len = certificate != NULL ? i2d_X509(certificate, &raw) : -1;
	if (len > 0)
		*der = arena_copy(arena, bytes_of(raw, (size_t)len));
	else
		rc = error_set(error, ERR_INVALID, "not a certificate in PEM form");
	OPENSSL_free(raw);
	X509_free(certificate);
	BIO_free(in);
	ERR_clear_error();
	return rc;
}

X509 *x509_parse(struct bytes der, struct error *error)
{
	const unsigned char *at = der.data;
	X509 *certificate = der.len <= INT32_MAX ? d2i_X509(NULL, &at, (long)der.len) : NULL;

	ERR_clear_error();
	if (certificate != NULL && at == der.data + der.len)
		return certificate;
	X509_free(certificate);
	error_set(error, ERR_INVALID, "not a certificate in DER form");
	return NULL;
}

static const struct curve *curve_of(EVP_PKEY *key)
{
	char name[64] = "";
	size_t len = 0;

	if (key == NULL || !EVP_PKEY_is_a(key, "EC") ||
	    EVP_PKEY_get_group_name(key, name, sizeof(name), &len) != 1)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(curves); i++)
		if (strcmp(name, curves[i].group) == 0)
			return &curves[i];
	return NULL;
}

static int not_our_curve(struct error *error)
{
	return error_set(error, ERR_INVALID,
	                 "the certificate's key is not on P-256, P-384 or P-521");
}

int x509_curve_bits(struct bytes der, unsigned *bits, struct error *error)
{
	*bits = 0;
	X509 *certificate = x509_parse(der, error);
	if (certificate == NULL)
		return ERR_INVALID;
	const struct curve *curve = curve_of(X509_get0_pubkey(certificate));
	X509_free(certificate);
	ERR_clear_error();
	if (curve == NULL)
		return not_our_curve(error);
	*bits = curve->bits;
	return 0;
}

/* OpenSSL wants the pair as DER. NULL when the length does not fit the curve. */
static unsigned char *signature_der(const struct curve *curve, struct bytes signature, size_t *len)
{
	unsigned char *out = NULL;

	if (signature.len != 2 * curve->field)
		return NULL;
	ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(signature.data, (int)curve->field, NULL);
	BIGNUM *s = BN_bin2bn(signature.data + curve->field, (int)curve->field, NULL);
	if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1)
		die("OpenSSL is out of memory");
	int size = i2d_ECDSA_SIG(pair, &out);
	ECDSA_SIG_free(pair);
	*len = size > 0 ? (size_t)size : 0;
	return out;
}

static int verify(EVP_PKEY *key, struct bytes message, struct bytes signature, struct error *error)
{
	const struct curve *curve = curve_of(key);
	size_t len = 0;

	if (curve == NULL)
		return not_our_curve(error);
	unsigned char *der = signature_der(curve, signature, &len);
	if (der == NULL)
		return error_set(error, ERR_INVALID, "a signature of %zu bytes, expected %zu",
		                 signature.len, 2 * curve->field);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	if (context == NULL)
		die("OpenSSL is out of memory");
	bool right = EVP_DigestVerifyInit(context, NULL, curve->hash(), NULL, key) == 1 &&
	             EVP_DigestVerify(context, der, len, message.data, message.len) == 1;
	EVP_MD_CTX_free(context);
	OPENSSL_free(der);
	return right ? 0
	             : error_set(error, ERR_DENIED,
	                         "the signature does not verify with the certificate's key");
}

int x509_ecdsa_verify(struct bytes der, struct bytes message, struct bytes signature,
                      struct error *error)
{
	X509 *certificate = x509_parse(der, error);

	if (certificate == NULL)
		return ERR_INVALID;
	int rc = verify(X509_get0_pubkey(certificate), message, signature, error);
	X509_free(certificate);
	ERR_clear_error();
	return rc;
}

int x509_subject(struct arena *arena, char **out, struct bytes der, struct error *error)
{
	char *text = NULL;

	*out = NULL;
	X509 *certificate = x509_parse(der, error);
	if (certificate == NULL)
		return ERR_INVALID;
	BIO *memory = BIO_new(BIO_s_mem());
	if (memory == NULL)
		die("OpenSSL is out of memory");
	unsigned long style = (XN_FLAG_RFC2253 | ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_ESC_MSB) &
	                      ~(unsigned long)ASN1_STRFLGS_UTF8_CONVERT;
	int printed = X509_NAME_print_ex(memory, X509_get_subject_name(certificate), 0, style);
	long len = BIO_get_mem_data(memory, &text);
	if (printed >= 0 && len >= 0)
		*out = arena_text(arena, bytes_of(text, (size_t)len));
	BIO_free(memory);
	X509_free(certificate);
	ERR_clear_error();
	return *out != NULL ? 0 : error_set(error, ERR_INVALID, "the subject cannot be printed");
}

int x509_all_from_pem(struct arena *arena, struct bytes *ders, size_t max, size_t *count,
                      struct bytes pem, struct error *error)
{
	int rc = 0;

	*count = 0;
	if (pem.len == 0 || pem.len > INT32_MAX)
		return error_set(error, ERR_INVALID, "PEM certificates of %zu bytes", pem.len);
	BIO *in = BIO_new_mem_buf(pem.data, (int)pem.len);
	if (in == NULL)
		die("OpenSSL is out of memory");
	ERR_clear_error();
	for (;;) {
		unsigned char *raw = NULL;
		X509 *certificate = PEM_read_bio_X509(in, NULL, no_pass_phrase, NULL);
		if (certificate == NULL)
			break;
		int len = *count < max ? i2d_X509(certificate, &raw) : 0;
		X509_free(certificate);
		if (len <= 0) {
			rc = error_set(error, ERR_LIMIT, "more than %zu certificates", max);
			break;
		}
		ders[(*count)++] = arena_copy(arena, bytes_of(raw, (size_t)len));
		OPENSSL_free(raw);
	}
	bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	if (rc == 0 && (*count == 0 || !at_end))
		rc = error_set(error, ERR_INVALID, "certificate %zu is not in PEM form",
		               *count + 1);
	if (rc != 0)
		*count = 0;
	BIO_free(in);
	ERR_clear_error();
	return rc;
}

int p256_verify(const uint8_t key[64], struct bytes message, const uint8_t signature[64],
                struct error *error)
{
	/* SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING 04 || x || y } */
	uint8_t spki[91] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
	                    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
	                    0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
	const unsigned char *at = spki;

	memcpy(spki + 27, key, 64);
	EVP_PKEY *public = d2i_PUBKEY(NULL, &at, sizeof(spki));
	if (public == NULL) {
		ERR_clear_error();
		return error_set(error, ERR_INVALID, "the key is no point of P-256");
	}
	int rc = verify(public, message, bytes_of(signature, 64), error);
	EVP_PKEY_free(public);
	ERR_clear_error();
	return rc == 0 ? 0 : error_set(error, ERR_DENIED, "the signature does not verify");
}
