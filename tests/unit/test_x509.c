#include "common/crypto/x509.h"

#include "common/measure/eif.h"
#include "common/measure/eif_signature.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* The signature section of an image among the fixtures: the section of type 4. */
static struct eif_signature signature_of(struct arena *arena, const char *name)
{
	struct bytes file =
	        fixture_bytes(arena, arena_printf(arena, "tests/fixtures/eif/%s.eif", name));
	struct eif_signature signature;
	struct error error;

	for (unsigned i = 0; i < be16_get(file.data + 26); i++) {
		size_t at = (size_t)be64_get(file.data + 28 + 8 * i);
		struct bytes data = bytes_of(file.data + at + EIF_SECTION_HEADER_SIZE,
		                             (size_t)be64_get(file.data + 284 + 8 * i));
		if (be16_get(file.data + at) != EIF_SIGNATURE)
			continue;
		assert_int_equal(eif_signature_parse(arena, data, &signature, &error), 0);
		return signature;
	}
	fail_msg("%s has no signature", name);
	return (struct eif_signature){0};
}

static void certificates_have_their_curve_and_subject(void **state)
{
	struct arena arena = {0};
	unsigned bits;
	char *subject;

	(void)state;
	struct bytes p256 = signature_of(&arena, "signed_prime256v1").certificate;
	struct bytes p384 = signature_of(&arena, "signed_secp384r1").certificate;
	assert_int_equal(x509_curve_bits(p256, &bits, NULL), 0);
	assert_int_equal(bits, 256);
	assert_int_equal(x509_curve_bits(p384, &bits, NULL), 0);
	assert_int_equal(bits, 384);
	assert_int_equal(x509_subject(&arena, &subject, p384, NULL), 0);
	assert_string_equal(subject, "CN=eif-signer,O=Test,C=US");
	arena_free(&arena);
}

static void truncated_certificates_are_refused(void **state)
{
	struct arena arena = {0};
	unsigned bits;
	char *subject;

	(void)state;
	struct bytes der = signature_of(&arena, "signed_prime256v1").certificate;
	for (size_t len = 0; len < der.len; len++) {
		struct bytes cut = bytes_of(der.data, len);
		assert_int_equal(x509_curve_bits(cut, &bits, NULL), ERR_INVALID);
		assert_int_equal(x509_subject(&arena, &subject, cut, NULL), ERR_INVALID);
		assert_null(subject);
	}
	arena_free(&arena);
}

static void pem_text_must_hold_a_certificate(void **state)
{
	static const char *const bad[] = {
	        "",
	        "hello",
	        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
	        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	        /* must not ask a terminal for a pass phrase */
	        "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
	        "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n"
	        "-----END CERTIFICATE-----\n",
	};
	struct arena arena = {0};
	struct bytes der;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(x509_from_pem(&arena, &der, bytes_text(bad[i]), NULL),
		                 ERR_INVALID);
		assert_int_equal(der.len, 0);
	}
	arena_free(&arena);
}

static void expected_pcr0(const char *name, uint8_t pcr0[SHA384_SIZE])
{
	struct jval *expected = fixture_json("tests/fixtures/eif/expected.json");
	const struct jval *aws = jval_get(jval_get(expected, name), "aws_reader");

	fixture_fixed(pcr0, SHA384_SIZE, jval_get(aws, "Measurements"), "PCR0");
	jval_free(expected);
}

static void a_signature_holds_for_its_image_alone(void **state)
{
	static const char *const names[] = {"signed_prime256v1", "signed_secp384r1",
	                                    "signed_before_ramdisk"};
	struct arena arena = {0};
	uint8_t pcr0[SHA384_SIZE];
	struct error error;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct eif_signature signature = signature_of(&arena, names[i]);
		expected_pcr0(names[i], pcr0);
		assert_int_equal(eif_signature_verify(&signature, pcr0, &error), 0);
		pcr0[47] ^= 1;
		assert_int_equal(eif_signature_verify(&signature, pcr0, &error), ERR_DENIED);
	}
	arena_free(&arena);
}

static void no_bit_of_a_signature_can_change(void **state)
{
	struct arena arena = {0};
	uint8_t pcr0[SHA384_SIZE];
	struct error error;

	(void)state;
	struct eif_signature signature = signature_of(&arena, "signed_prime256v1");
	uint8_t *cose = (uint8_t *)(uintptr_t)signature.cose.data;
	expected_pcr0("signed_prime256v1", pcr0);
	for (size_t i = 0; i < signature.cose.len; i++) {
		cose[i] ^= (uint8_t)(1 << i % 8);
		assert_true(eif_signature_verify(&signature, pcr0, &error) < 0);
		cose[i] ^= (uint8_t)(1 << i % 8);
	}
	/* The tag that COSE allows in front changes nothing. */
	struct buf tagged = {0};
	buf_append_byte(&tagged, 0xd2);
	buf_append_bytes(&tagged, signature.cose);
	signature.cose = buf_bytes(&tagged);
	assert_int_equal(eif_signature_verify(&signature, pcr0, &error), 0);
	buf_free(&tagged);
	arena_free(&arena);
}

static void a_signature_of_another_key_or_curve_does_not_verify(void **state)
{
	struct arena arena = {0};
	uint8_t pcr0[SHA384_SIZE];

	(void)state;
	struct eif_signature p256 = signature_of(&arena, "signed_prime256v1");
	struct eif_signature p384 = signature_of(&arena, "signed_secp384r1");
	struct eif_signature mixed = {.certificate = p384.certificate, .cose = p256.cose};
	struct error error;
	expected_pcr0("signed_prime256v1", pcr0);
	assert_int_equal(eif_signature_verify(&mixed, pcr0, &error), ERR_INVALID);
	assert_string_equal(error.text,
	                    "signature algorithm -7, expected -35 for a key of 384 bits");
	assert_int_equal(x509_ecdsa_verify(p384.certificate, bytes_text("x"),
	                                   bytes_of(pcr0, SHA384_SIZE), NULL),
	                 ERR_INVALID);
	uint8_t zeros[96] = {0};
	assert_int_equal(x509_ecdsa_verify(p384.certificate, bytes_text("x"),
	                                   bytes_of(zeros, sizeof(zeros)), NULL),
	                 ERR_DENIED);
	arena_free(&arena);
}

static int set_up(void **state)
{
	(void)state;
	crypto_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(certificates_have_their_curve_and_subject),
	        cmocka_unit_test(truncated_certificates_are_refused),
	        cmocka_unit_test(pem_text_must_hold_a_certificate),
	        cmocka_unit_test(a_signature_holds_for_its_image_alone),
	        cmocka_unit_test(no_bit_of_a_signature_can_change),
	        cmocka_unit_test(a_signature_of_another_key_or_curve_does_not_verify),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
