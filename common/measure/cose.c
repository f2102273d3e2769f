#include "common/measure/cose.h"

#include "common/crypto/x509.h"
#include "common/measure/cbor.h"

enum { COSE_ALGORITHM = 1, COSE_SIGN1_TAG = 18 };

/* The protected header must be exactly {1: algorithm}. */
static int read_protected(struct cose_sign1 *sign1, struct error *error)
{
	struct bytes rest = sign1->protected;
	struct cbor_item item;
	struct error local;
	int rc = cbor_expect(&rest, CBOR_MAP, &item, &local);

	if (rc == 0 && item.n == 1)
		rc = cbor_expect(&rest, CBOR_UINT, &item, &local);
	if (rc == 0 && item.n == COSE_ALGORITHM)
		rc = cbor_expect(&rest, CBOR_NEGATIVE, &item, &local);
	if (rc == 0 && (item.kind != CBOR_NEGATIVE || item.n > 255 || rest.len != 0))
		rc = error_set(&local, ERR_INVALID, "it holds more than an algorithm");
	if (rc != 0)
		return error_set(error, ERR_INVALID, "protected header of the signature: %s",
		                 local.text);
	sign1->algorithm = -1 - (int64_t)item.n;
	return 0;
}

int cose_parse(struct bytes cose, struct cose_sign1 *out, struct error *error)
{
	struct bytes rest = cose;
	struct cbor_item item;

	*out = (struct cose_sign1){0};
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

int cose_verify(const struct cose_sign1 *sign1, struct bytes certificate, struct error *error)
{
	struct buf signed_bytes = {0};

	int rc = check_algorithm(sign1->algorithm, certificate, error);
	if (rc != 0)
		return rc;
	/* RFC 9052, section 4.4: Sig_structure. */
	cbor_put_head(&signed_bytes, CBOR_ARRAY, 4);
	cbor_put_text(&signed_bytes, "Signature1");
	cbor_put_bytes(&signed_bytes, sign1->protected);
	cbor_put_bytes(&signed_bytes, bytes_of(NULL, 0));
	cbor_put_bytes(&signed_bytes, sign1->payload);
	rc = x509_ecdsa_verify(certificate, buf_bytes(&signed_bytes), sign1->signature, error);
	buf_free(&signed_bytes);
	return rc;
}
