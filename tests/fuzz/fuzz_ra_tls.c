/* RA-TLS certificates: the certificates taken out of PEM, written as PEM again, are the same ones
 * and say the same; each is one DER element, and its fields can be read or are refused. */
#include "common/base/base64.h"
#include "common/crypto/der.h"
#include "common/crypto/hash.h"
#include "common/crypto/x509.h"
#include "common/measure/ra_tls.h"
#include "tests/fuzz/fuzz.h"

static void put_pem(struct arena *arena, struct buf *out, struct bytes der)
{
	const char *text = base64_encode(arena, der);
	size_t len = strlen(text);

	buf_append_text(out, "-----BEGIN CERTIFICATE-----\n");
	for (size_t at = 0; at < len; at += 64)
		buf_printf(out, "%.64s\n", text + at);
	buf_append_text(out, "-----END CERTIFICATE-----\n");
}

static void check_fields(struct arena *arena, struct bytes der)
{
	struct bytes content, key;
	int64_t from, until;
	unsigned bits;
	char *text;

	PROPERTY(der_only(der, DER_SEQUENCE, &content, NULL) == 0);
	if (x509_public_key(arena, &key, der, NULL) == 0)
		PROPERTY(der_only(key, DER_SEQUENCE, &content, NULL) == 0);
	if (x509_curve_bits(der, &bits, NULL) == 0)
		PROPERTY(bits == 256 || bits == 384 || bits == 521);
	if (x509_subject(arena, &text, der, NULL) == 0)
		for (const char *p = text; *p != '\0'; p++)
			PROPERTY(*p >= ' ' && *p <= '~');
	if (x509_validity(der, &from, &until, NULL) != 0)
		PROPERTY(from == 0 && until == 0);
	(void)x509_signs_code(der);
	if (x509_uri(arena, &text, der, NULL) == 0)
		PROPERTY(text != NULL);
}

static void check_again(struct arena *arena, const struct ra_tls *first)
{
	struct buf pem = {0};
	struct ra_tls again;

	for (size_t i = 0; i < first->count; i++)
		put_pem(arena, &pem, first->certificates[i]);
	PROPERTY(ra_tls_read(arena, &again, buf_bytes(&pem), NULL) == 0);
	PROPERTY(again.count == first->count);
	for (size_t i = 0; i < first->count; i++)
		PROPERTY(bytes_equal(again.certificates[i], first->certificates[i]));
	PROPERTY(bytes_equal(again.quote, first->quote));
	PROPERTY(bytes_equal(again.attestation, first->attestation));
	PROPERTY(memcmp(again.report_data, first->report_data, 64) == 0);
	buf_free(&pem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	struct ra_tls ra_tls;
	struct buf pem = {0};

	crypto_init();
	/* DER as well: mutated bytes of a certificate say more than mutated base64. */
	if (size > 0 && data[0] == 0x30)
		put_pem(&arena, &pem, bytes_of(data, size));
	else
		buf_append(&pem, data, size);
	if (ra_tls_read(&arena, &ra_tls, buf_bytes(&pem), NULL) == 0) {
		PROPERTY(ra_tls.count > 0 && ra_tls.count <= RA_TLS_MAX_CHAIN);
		for (size_t i = 0; i < ra_tls.count; i++)
			check_fields(&arena, ra_tls.certificates[i]);
		check_again(&arena, &ra_tls);
		int rc = ra_tls_check_chain(&ra_tls, 1780272000, NULL);
		PROPERTY(rc == 0 || rc == ERR_DENIED || rc == ERR_INVALID);
	}
	buf_free(&pem);
	arena_free(&arena);
	return 0;
}
