#include "common/crypto/pubkey.h"

#include "common/crypto/x509.h"
#include "common/measure/nsm.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* RFC 8032, section 7.1, test 2. */
#define KEY "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
#define SIGNATURE                                                                                  \
	"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613" \
	"d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
#define SPKI "302a300506032b6570032100" KEY

static void ed25519_of_the_rfc_verifies(void **state)
{
	struct arena arena = {0};
	uint8_t key[ED25519_KEY_SIZE], signature[ED25519_SIGNATURE_SIZE], message = 0x72;

	(void)state;
	assert_int_equal(hex_decode(key, sizeof(key), KEY, NULL), 0);
	assert_int_equal(hex_decode(signature, sizeof(signature), SIGNATURE, NULL), 0);
	struct bytes spki = fixture_unhex(&arena, SPKI);
	assert_int_equal(ed25519_verify(key, bytes_of(&message, 1), signature, NULL), 0);
	assert_int_equal(pubkey_verify(spki, bytes_of(&message, 1), bytes_of(signature, 64), NULL),
	                 0);
	assert_int_equal(pubkey_verify(spki, bytes_of(&message, 1), bytes_of(signature, 63), NULL),
	                 ERR_DENIED);
	assert_int_equal(pubkey_verify(bytes_of(spki.data, spki.len - 1), bytes_of(&message, 1),
	                               bytes_of(signature, 64), NULL),
	                 ERR_INVALID);
	assert_int_equal(ed25519_verify(key, bytes_of(NULL, 0), signature, NULL), ERR_DENIED);
	for (size_t i = 0; i < sizeof(signature); i++) {
		signature[i] ^= 1;
		assert_int_equal(ed25519_verify(key, bytes_of(&message, 1), signature, NULL),
		                 ERR_DENIED);
		signature[i] ^= 1;
	}
	arena_free(&arena);
}

/* --- chains: that of a Nitro document --- */

static struct nsm document(struct arena *arena)
{
	struct nsm nsm;

	assert_int_equal(
	        nsm_read(arena,
	                 fixture_bytes(arena, "tests/fixtures/nitro/nitro_attestation.nsm.cose"),
	                 &nsm, NULL),
	        0);
	return nsm;
}

static void a_chain_holds_in_its_order_and_time_alone(void **state)
{
	struct arena arena = {0};
	struct nsm nsm = document(&arena);
	struct bytes path[5] = {nsm.certificate, nsm.cabundle[3], nsm.cabundle[2], nsm.cabundle[1],
	                        nsm.cabundle[1]};
	struct bytes root = nsm_root();
	int64_t at = (int64_t)(nsm.timestamp / 1000), from, until;
	struct error error;

	(void)state;
	assert_int_equal(nsm.cabundle_count, 4);
	assert_int_equal(x509_chain_verify(path, 4, root, at, NULL), 0);
	assert_int_equal(x509_validity(nsm.certificate, &from, &until, NULL), 0);
	assert_int_equal(until - from, 3 * 3600 + 3);
	assert_int_equal(x509_chain_verify(path, 4, root, from, NULL), 0);
	assert_int_equal(x509_chain_verify(path, 4, root, until - 1, NULL), 0);
	assert_int_equal(x509_chain_verify(path, 4, root, from - 1, &error), ERR_DENIED);
	assert_non_null(strstr(error.text, "certificate 0: "));
	assert_int_equal(x509_chain_verify(path, 4, root, until + 1, NULL), ERR_DENIED);

	assert_int_equal(x509_chain_verify(path, 3, root, at, NULL), ERR_DENIED);
	assert_int_equal(x509_chain_verify(path + 1, 3, nsm.certificate, at, NULL), ERR_DENIED);
	assert_int_equal(x509_chain_verify(path, 5, root, at, &error), ERR_DENIED);
	assert_non_null(strstr(error.text, "4 of 5 certificates"));
	assert_int_equal(x509_chain_verify(path, 0, root, at, NULL), ERR_INVALID);
	path[2] = bytes_of(path[2].data, path[2].len - 1);
	assert_int_equal(x509_chain_verify(path, 4, root, at, &error), ERR_INVALID);
	assert_non_null(strstr(error.text, "certificate 2: "));
	arena_free(&arena);
}

static void fields_are_those_of_the_certificate(void **state)
{
	struct arena arena = {0};
	struct bytes key, value;
	char *text;

	(void)state;
	assert_int_equal(x509_public_key(&arena, &key, nsm_root(), NULL), 0);
	assert_int_equal(key.len, 120); /* P-384 */
	/* Basic constraints: CA, no path length. */
	assert_int_equal(x509_extension(&arena, &value, nsm_root(), "2.5.29.19", NULL), 0);
	assert_true(bytes_equal(value, fixture_unhex(&arena, "30030101ff")));
	assert_int_equal(x509_extension(&arena, &value, nsm_root(), "1.2.3", NULL), ERR_NOT_FOUND);
	assert_int_equal(x509_extension_text(&arena, &text, nsm_root(), "2.5.29.19", NULL),
	                 ERR_INVALID);
	assert_int_equal(x509_uri(&arena, &text, nsm_root(), NULL), ERR_INVALID);
	assert_false(x509_signs_code(nsm_root()));
	assert_int_equal(x509_tbs_without(&arena, &value, nsm_root(), "1.2.3", NULL),
	                 ERR_NOT_FOUND);
	assert_int_equal(x509_tbs_without(&arena, &value, nsm_root(), "2.5.29.19", NULL), 0);
	assert_true(value.len > 0 && value.len < nsm_root().len);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(ed25519_of_the_rfc_verifies),
	        cmocka_unit_test(a_chain_holds_in_its_order_and_time_alone),
	        cmocka_unit_test(fields_are_those_of_the_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
