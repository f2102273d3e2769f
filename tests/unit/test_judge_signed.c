/* Signatures in a folder as the store tells them afterwards. */
#include "daemon/watch/judge.h"

#include "common/store/store_signature.h"
#include "tests/unit/judge_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void require_signed(struct world *world, struct config_target *target, const char *workflow)
{
	*target = *world->target;
	target->signing = (struct signing){.kind = SIGNING_SIGSTORE,
	                                   .issuer = "https://issuer.example",
	                                   .workflow = arena_strdup(&world->arena, workflow),
	                                   .predicate_type = "t"};
	signing_seal(&target->signing);
	world->target = target;
}

/* An attestation of the image that byte makes. */
static struct measured attestation_of(uint8_t byte, bool is_decided)
{
	struct measured measured = {
	        .format = FORMAT_SIGSTORE,
	        .level = LEVEL_CLAIMED,
	        .size = 2000,
	        .details = "{\"checks\":[{\"check\":\"envelope\",\"result\":\"passed\",\"text\":"
	                   "\"x\"}]}",
	        .signature = {.kind = SIGNING_SIGSTORE,
	                      .is_decided = is_decided,
	                      .reason = is_decided ? NULL : "log-time: the log did not sign a time",
	                      .signer = "https://github.com/o/r/w@v1",
	                      .subject_count = 1},
	};

	measured.signature.subjects[0].name = "enclave.eif";
	measured.signature.subjects[0].sha256 = world_of(FORMAT_EIF, byte).sha256;
	memset(measured.sha256.b, byte ^ 0x55, sizeof(measured.sha256.b));
	return measured;
}

static void test_an_unsigned_build_is_held_until_its_signature_comes(void **state)
{
	struct world *world = *state;
	struct config_target target;
	struct evidence_list evidence;
	struct measurement compose;

	require_signed(world, &target, "https://github.com/o/r/w@");
	world_put(world, "enclave.eif", world_of(FORMAT_EIF, 3));
	world_put(world, "measurements.json", world_of(FORMAT_MEASUREMENTS, 3));
	world_judge(world);
	assert_int_equal(world_build_of(world, "enclave.eif").status, BUILD_ACCEPTED);
	world_is(world, 3, MEASUREMENT_HELD,
	         "evidence unsigned, the target wants a signature (sigstore)");
	assert_false(world_get(world, 3).is_signed);
	world_put(world, "measurements.sigstore.json", attestation_of(3, false));
	world_judge(world);
	world_is(world, 3, MEASUREMENT_HELD,
	         "; measurements.sigstore.json: log-time: the log did not");
	assert_false(world_get(world, 3).is_signed);
	world_put(world, "measurements.sigstore.json", attestation_of(3, true));
	assert_true(world_judge(world));
	world_is(world, 3, MEASUREMENT_NEW, "stronger evidence");
	assert_true(world_get(world, 3).is_signed);
	assert_true(world_find(world, KIND_COMPOSE, 3, &compose));
	assert_int_equal(compose.status, MEASUREMENT_NEW);

	store_evidence_list(world->store, &world->arena, world_get(world, 3).id, &evidence);
	const struct evidence *last = &evidence.items[evidence.count - 1];
	assert_true(last->is_signed);
	assert_int_equal(last->level, LEVEL_CLAIMED);
	assert_string_equal(last->artifact, FOLDER "/measurements.sigstore.json");
	assert_non_null(strstr(last->details, "\"check\":\"envelope\",\"result\":\"passed"));
	assert_non_null(strstr(last->details, "\"check\":\"subject\",\"result\":\"passed\","
	                                      "\"text\":\"enclave.eif is what was attested"));
	/* An unsigned copy elsewhere takes nothing back, nor does the file that goes. */
	world_put_in(world, "/srv/releases/again", "enclave.eif", world_of(FORMAT_EIF, 3));
	world_judge_in(world, "/srv/releases/again");
	world_gone(world, "measurements.sigstore.json");
	world_judge(world);
	world_is(world, 3, MEASUREMENT_NEW, NULL);
}

static void test_what_evidence_lacks_is_said_whole(void **state)
{
	struct world *world = *state;
	struct config_target target;

	require_signed(world, &target, "https://github.com/o/r/w@");
	world_put(world, "m.json", world_of(FORMAT_MEASUREMENTS, 3));
	world_judge(world);
	world_is(world, 3, MEASUREMENT_HELD,
	         "evidence claimed and unsigned, the target wants recomputed and a signature "
	         "(sigstore)");
	world_put(world, "enclave.eif", world_of(FORMAT_EIF, 3));
	world_judge(world);
	world_is(world, 3, MEASUREMENT_HELD, "evidence unsigned, the target wants");
	store_begin(world->store);
	store_measurement_approve(world->store, world_get(world, 3).id, "someone");
	store_commit(world->store);
	world_judge(world);
	world_is(world, 3, MEASUREMENT_NEW, "approved");
}

static void test_a_wrong_signature_refuses_and_a_right_one_lifts(void **state)
{
	struct world *world = *state;
	struct config_target target;
	struct measured wrong = attestation_of(3, false);

	require_signed(world, &target, "https://github.com/o/r/w@");
	world_put(world, "enclave.eif", world_of(FORMAT_EIF, 3));
	world_put(world, "measurements.sigstore.json", attestation_of(3, true));
	world_judge(world);
	world_is(world, 3, MEASUREMENT_NEW, NULL);
	wrong.refused = true;
	wrong.refusal = "workflow: signed by https://github.com/x/y/w@v1, expected ...";
	world_put(world, "measurements.sigstore.json", wrong);
	world_judge(world);
	assert_int_equal(world_build_of(world, "enclave.eif").status, BUILD_REFUSED);
	assert_non_null(strstr(world_build_of(world, "enclave.eif").reason,
	                       "measurements.sigstore.json: workflow: signed by"));
	world_is(world, 3, MEASUREMENT_HELD, "build refused: ");
	/* Of other bytes. */
	world_put(world, "measurements.sigstore.json", attestation_of(4, true));
	world_judge(world);
	assert_non_null(strstr(world_build_of(world, "enclave.eif").reason,
	                       "measurements.sigstore.json: subject: it attests enclave.eif"));
	world_put(world, "measurements.sigstore.json", attestation_of(3, true));
	world_judge(world);
	assert_int_equal(world_build_of(world, "enclave.eif").status, BUILD_ACCEPTED);
	world_is(world, 3, MEASUREMENT_NEW, "its build is accepted");
}

static void test_a_signature_counts_under_its_own_rule(void **state)
{
	struct world *world = *state;
	struct config_target first, second;
	struct artifact stored;

	require_signed(world, &first, "https://github.com/o/r/w@");
	store_begin(world->store);
	store_artifact_rule(world->store, first.name, &first.signing);
	store_commit(world->store);
	world_put(world, "enclave.eif", world_of(FORMAT_EIF, 3));
	world_put(world, "measurements.sigstore.json", attestation_of(3, true));
	world_judge(world);
	assert_true(
	        store_signature_has(world->store, world_get(world, 3).id, &first.signing.digest));
	assert_int_equal(store_artifact_get(world->store, &world->arena, first.name,
	                                    FOLDER "/measurements.sigstore.json", &stored),
	                 0);
	assert_true(stored.measured.signature.is_decided);
	assert_string_equal(stored.measured.signature.subjects[0].name, "enclave.eif");

	/* Another rule: what was verified under the old one is forgotten until it is measured
	 * again. */
	require_signed(world, &second, "https://github.com/o/other/w@");
	struct hash32 before = judge_rules(&first), after = judge_rules(&second);
	assert_false(hash32_equal(&before, &after));
	store_begin(world->store);
	store_artifact_rule(world->store, second.name, &second.signing);
	store_commit(world->store);
	assert_int_equal(store_artifact_get(world->store, &world->arena, second.name,
	                                    FOLDER "/measurements.sigstore.json", &stored),
	                 0);
	assert_int_equal(stored.mtime_ns, -1);
	assert_int_equal(stored.measured.signature.kind, SIGNING_NONE);
	assert_int_equal(store_artifact_get(world->store, &world->arena, second.name,
	                                    FOLDER "/enclave.eif", &stored),
	                 0);
	assert_int_equal(stored.mtime_ns, 0);
	world_judge(world);
	world_is(world, 3, MEASUREMENT_HELD, "evidence unsigned");
	world_put(world, "measurements.sigstore.json", attestation_of(3, true));
	world_judge(world);
	world_is(world, 3, MEASUREMENT_NEW, NULL);

	/* For Ed25519 whatever has no digest of the right kind is read again, once. */
	struct config_target third = second;
	third.signing = (struct signing){.kind = SIGNING_ED25519};
	signing_seal(&third.signing);
	for (int again = 0; again < 2; again++) {
		struct measured image = world_of(FORMAT_EIF, 3);
		image.has_blake2b = true;
		store_begin(world->store);
		store_artifact_rule(world->store, third.name, &third.signing);
		store_commit(world->store);
		assert_int_equal(store_artifact_get(world->store, &world->arena, third.name,
		                                    FOLDER "/enclave.eif", &stored),
		                 0);
		assert_int_equal(stored.mtime_ns, again == 0 ? -1 : 0);
		world_put(world, "enclave.eif", image);
	}
}

static void test_every_part_of_a_signature_survives_the_store(void **state)
{
	struct world *world = *state;
	struct measured file = {.format = FORMAT_MINISIGN,
	                        .level = LEVEL_CLAIMED,
	                        .has_blake2b = true,
	                        .signature = {.kind = SIGNING_ED25519,
	                                      .is_decided = true,
	                                      .signer = "0102030405060708",
	                                      .key_id = {1, 2, 3, 4, 5, 6, 7, 8}}};
	struct artifact stored;

	memset(file.signature.bytes, 9, sizeof(file.signature.bytes));
	memset(file.blake2b, 10, sizeof(file.blake2b));
	world_put(world, "enclave.eif.minisig", file);
	assert_int_equal(store_artifact_get(world->store, &world->arena, world->target->name,
	                                    FOLDER "/enclave.eif.minisig", &stored),
	                 0);
	const struct signature *signature = &stored.measured.signature;
	assert_int_equal(signature->kind, SIGNING_ED25519);
	assert_true(signature->is_decided && stored.measured.has_blake2b);
	assert_string_equal(signature->signer, "0102030405060708");
	assert_memory_equal(signature->bytes, file.signature.bytes, sizeof(signature->bytes));
	assert_memory_equal(signature->key_id, file.signature.key_id, sizeof(signature->key_id));
	assert_memory_equal(stored.measured.blake2b, file.blake2b, sizeof(file.blake2b));
	assert_null(signature->reason);
	/* Alone it is no build. */
	struct build_list builds;
	world_judge(world);
	store_build_folder(world->store, &world->arena, world->target->name, FOLDER, &builds);
	assert_int_equal(builds.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	        TEST(test_an_unsigned_build_is_held_until_its_signature_comes),
	        TEST(test_what_evidence_lacks_is_said_whole),
	        TEST(test_a_wrong_signature_refuses_and_a_right_one_lifts),
	        TEST(test_a_signature_counts_under_its_own_rule),
	        TEST(test_every_part_of_a_signature_survives_the_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
