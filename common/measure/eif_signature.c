#include "common/measure/eif_signature.h"

#include "common/crypto/x509.h"
#include "common/measure/cbor.h"

#include <string.h>

enum { COSE_ALGORITHM = 1, COSE_SIGN1_TAG = 18 };

static bool is_text(const struct cbor_item *item, const char *text)
{
	return item->kind == CBOR_TEXT && bytes_equal(item->bytes, bytes_text(text));
}

/* An array of integers 0 to 255: how the Rust builder writes bytes. */
static int read_integers(struct arena *arena, struct bytes *rest, struct bytes *out,
                         struct error *error)
{
	struct cbor_item item;
	int rc = cbor_expect(rest, CBOR_ARRAY, &item, error);

	if (rc != 0)
		return rc;
	if (item.n > rest->len)
		return error_set(error, ERR_INVALID, "an array of %llu bytes in the last %zu",
		                 (unsigned long long)item.n, rest->len);
	size_t len = (size_t)item.n;
	uint8_t *bytes = arena_alloc(arena, len + 1);
	for (size_t i = 0; i < len; i++) {
		rc = cbor_expect(rest, CBOR_UINT, &item, error);
		if (rc == 0 && item.n > 255)
			rc = error_set(error, ERR_INVALID, "array element %zu is over 255", i);
		if (rc != 0)
			return rc;
		bytes[i] = (uint8_t)item.n;
	}
	*out = bytes_of(bytes, len);
	return 0;
}

static int read_members(struct arena *arena, struct bytes *rest, struct bytes *pem,
                        struct bytes *cose, struct error *error)
{
	for (int i = 0; i < 2; i++) {
		struct cbor_item key;
		int rc = cbor_expect(rest, CBOR_TEXT, &key, error);
		if (rc != 0)
			return rc;
		struct bytes *member = is_text(&key, "signing_certificate") ? pem
		                       : is_text(&key, "signature")         ? cose
		                                                            : NULL;
		if (member == NULL || member->data != NULL)
			return error_set(error, ERR_INVALID,
			                 "expected the members signing_certificate and signature");
		rc = read_integers(arena, rest, member, error);
		if (rc != 0)
			return error_prefix(error, "%s",
			                    member == pem ? "signing_certificate" : "signature");
	}
	return 0;
}

int eif_signature_parse(struct arena *arena, struct bytes section, struct eif_signature *out,
                        struct error *error)
{
	struct bytes rest = section, pem = {0}, cose = {0};
	struct cbor_item item;

	*out = (struct eif_signature){0};
	int rc = cbor_expect(&rest, CBOR_ARRAY, &item, error);
	if (rc != 0)
		return rc;
	/* AWS's reader would silently use the first of several only. */
	if (item.n != 1)
		return error_set(error, ERR_INVALID, "%llu signatures, expected one",
		                 (unsigned long long)item.n);
	rc = cbor_expect(&rest, CBOR_MAP, &item, error);
	if (rc != 0)
		return rc;
	if (item.n != 2)
		return error_set(error, ERR_INVALID, "a map of %llu members, expected 2",
		                 (unsigned long long)item.n);
	rc = read_members(arena, &rest, &pem, &cose, error);
	if (rc != 0)
		return rc;
	if (rest.len != 0)
		return error_set(error, ERR_INVALID, "%zu bytes behind the CBOR", rest.len);
	rc = x509_from_pem(arena, &out->certificate, pem, error);
	if (rc != 0)
		return error_prefix(error, "signing_certificate");
	out->cose = cose;
	return 0;
}

struct sign1 {
	struct bytes protected, payload, signature;
	int64_t algorithm;
};

/* The protected header must be exactly {1: algorithm}. */
static int read_protected(struct sign1 *sign1, struct error *error)
{
	struct bytes rest = sign1->protected;
	struct cbor_item item;
	int rc = cbor_expect(&rest, CBOR_MAP, &item, error);

	if (rc == 0 && item.n == 1)
		rc = cbor_expect(&rest, CBOR_UINT, &item, error);
	if (rc == 0 && item.n == COSE_ALGORITHM)
		rc = cbor_expect(&rest, CBOR_NEGATIVE, &item, error);
	if (rc == 0 && (item.kind != CBOR_NEGATIVE || item.n > 255 || rest.len != 0))
		rc = error_set(error, ERR_INVALID, "it holds more than an algorithm");
	if (rc != 0)
		return error_prefix(error, "protected header of the signature");
	sign1->algorithm = -1 - (int64_t)item.n;
	return 0;
}

static int read_sign1(struct bytes cose, struct sign1 *out, struct error *error)
{
	struct bytes rest = cose;
	struct cbor_item item;

	*out = (struct sign1){0};
	int rc = cbor_next(&rest, &item, error);
	if (rc == 0 && item.kind == CBOR_TAG && item.n == COSE_SIGN1_TAG)
		rc = cbor_next(&rest, &item, error);
	if (rc != 0)
		return rc;
	if (item.kind != CBOR_ARRAY || item.n != 4)
		return error_set(error, ERR_INVALID, "not a COSE_Sign1: expected an array of 4");
	rc = cbor_expect(&rest, CBOR_BYTES, &item, error);
	out->protected = item.bytes;
	if (rc == 0)
		rc = cbor_expect(&rest, CBOR_MAP, &item, error);
	if (rc == 0 && item.n != 0)
		rc = error_set(error, ERR_INVALID, "unprotected header: expected an empty map");
	if (rc == 0)
		rc = cbor_expect(&rest, CBOR_BYTES, &item, error);
	out->payload = item.bytes;
	if (rc == 0)
		rc = cbor_expect(&rest, CBOR_BYTES, &item, error);
	out->signature = item.bytes;
	if (rc == 0 && rest.len != 0)
		rc = error_set(error, ERR_INVALID, "%zu bytes behind the signature", rest.len);
	return rc != 0 ? rc : read_protected(out, error);
}

/* RFC 9053, table 1: which algorithm goes with which curve here (ES256, ES384, ES512). */
static int check_algorithm(int64_t algorithm, struct bytes certificate, struct error *error)
{
	unsigned bits;
	int rc = x509_curve_bits(certificate, &bits, error);

	if (rc != 0)
		return rc;
	int64_t expected = bits == 256 ? -7 : bits == 384 ? -35 : -36;
	if (algorithm != expected)
		return error_set(error, ERR_INVALID,
		                 "signature algorithm %lld, expected %lld for a key of %u bits",
		                 (long long)algorithm, (long long)expected, bits);
	return 0;
}

static void put_payload(struct buf *out, const uint8_t pcr0[SHA384_SIZE])
{
	cbor_put_head(out, CBOR_MAP, 2);
	cbor_put_text(out, "register_index");
	cbor_put_head(out, CBOR_UINT, 0);
	cbor_put_text(out, "register_value");
	cbor_put_head(out, CBOR_ARRAY, SHA384_SIZE);
	for (size_t i = 0; i < SHA384_SIZE; i++)
		cbor_put_head(out, CBOR_UINT, pcr0[i]);
}

int eif_signature_verify(const struct eif_signature *signature, const uint8_t pcr0[SHA384_SIZE],
                         struct error *error)
{
	struct buf signed_bytes = {0}, payload = {0};
	struct sign1 sign1;

	int rc = read_sign1(signature->cose, &sign1, error);
	if (rc == 0)
		rc = check_algorithm(sign1.algorithm, signature->certificate, error);
	if (rc != 0)
		return rc;

	/* RFC 9052, section 4.4: Sig_structure. */
	cbor_put_head(&signed_bytes, CBOR_ARRAY, 4);
	cbor_put_text(&signed_bytes, "Signature1");
	cbor_put_bytes(&signed_bytes, sign1.protected);
	cbor_put_bytes(&signed_bytes, bytes_of(NULL, 0));
	cbor_put_bytes(&signed_bytes, sign1.payload);
	rc = x509_ecdsa_verify(signature->certificate, buf_bytes(&signed_bytes), sign1.signature,
	                       error);
	put_payload(&payload, pcr0);
	if (rc == 0 && !bytes_equal(sign1.payload, buf_bytes(&payload)))
		rc = error_set(error, ERR_DENIED,
		               "the signature is over another PCR0 than this file's");
	buf_free(&signed_bytes);
	buf_free(&payload);
	return rc;
}
