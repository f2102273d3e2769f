#include "common/measure/eif_signature.h"

#include "common/crypto/x509.h"
#include "common/measure/cbor.h"
#include "common/measure/cose.h"

#include <string.h>

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
	struct cose_sign1 sign1;
	struct buf payload = {0};

	int rc = cose_parse(signature->cose, &sign1, error);
	if (rc == 0)
		rc = cose_verify(&sign1, signature->certificate, error);
	if (rc != 0)
		return rc;
	put_payload(&payload, pcr0);
	if (!bytes_equal(sign1.payload, buf_bytes(&payload)))
		rc = error_set(error, ERR_DENIED,
		               "the signature is over another PCR0 than this file's");
	buf_free(&payload);
	return rc;
}
