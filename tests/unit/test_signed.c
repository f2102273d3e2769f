/* From signature files to what they are worth to a build: detection, the rule, the verdict on a
 * folder. */
#include "common/measure/build.h"
#include "common/measure/detect.h"
#include "common/measure/sigstore.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define OURS "https://github.com/example-org/my-enclave/.github/workflows/"
/* The vectors of the minisign-verify crate, over "test"; MIT licence. */
#define KEY "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
#define OTHER_KEY "RWQBAgMEBQYHCHmlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
#define FIRST "untrusted comment: signature from minisign secret key\n"
#define MINISIG                                                                                    \
	FIRST "RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/"                    \
	      "z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n"                                            \
	      "trusted comment: timestamp:1633700835\tfile:test\tprehashed\n"                      \
	      "wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAg"  \
	      "AooBQ==\n"
#define OLD_MINISIG                                                                                \
	FIRST "RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+"        \
	      "dP9eKL8OC351vwIasSSbXxwA=\n"                                                        \
	      "trusted comment: timestamp:1555779966\tfile:test\n"                                 \
	      "QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/"                    \
	      "VqE81QFuMKI5k/SfNQUaOAA==\n"

enum { MAX_FILES = 8 };

struct world {
	struct arena arena;
	struct minisign_key keys[2];
	struct signing signing;
	struct measured measured[MAX_FILES];
	struct build_artifact files[MAX_FILES];
	size_t count;
	struct build_verdicts verdicts;
};

static struct bytes load(struct world *world, const char *name)
{
	return fixture_bytes(&world->arena, arena_printf(&world->arena, "tests/fixtures/%s", name));
}

static void want_sigstore(struct world *world, const char *workflow, const char *root)
{
	world->signing = (struct signing){
	        .kind = SIGNING_SIGSTORE,
	        .issuer = SIGSTORE_GITHUB,
	        .workflow = arena_strdup(&world->arena, workflow),
	        .predicate_type = SIGSTORE_MEASUREMENTS_TYPE,
	        .root = load(world, root),
	};
	signing_seal(&world->signing);
}

static void want_ours(struct world *world)
{
	want_sigstore(world, OURS, "sigstore/synthetic_trusted_root.json");
}

static void want_ed25519(struct world *world, const char *key)
{
	assert_int_equal(minisign_key_parse(&world->keys[0], bytes_text(key), NULL), 0);
	world->signing = (struct signing){.kind = SIGNING_ED25519,
	                                  .keys = {.items = world->keys, .count = 1}};
	signing_seal(&world->signing);
}

static struct measured *add_bytes(struct world *world, const char *name, struct bytes content)
{
	struct source source = source_memory(content);
	struct measured *out = &world->measured[world->count];
	struct hasher *hasher = hasher_new(false);
	struct measure_how how = {.name = name, .signing = &world->signing};

	assert_int_equal(measure_source(&world->arena, &source, &how, hasher, out, NULL), 0);
	hasher_free(hasher);
	world->files[world->count++] = (struct build_artifact){.name = name, .measured = out};
	return out;
}

static struct measured *add(struct world *world, const char *name, const char *fixture)
{
	return add_bytes(world, name, load(world, fixture));
}

static struct measured *add_text(struct world *world, const char *name, const char *text)
{
	return add_bytes(world, name, bytes_text(text));
}

/* The folder's only build. */
static const struct build_verdict *judge(struct world *world)
{
	build_judge(&world->arena, world->files, world->count, &world->signing, &world->verdicts);
	assert_int_equal(world->verdicts.count, 1);
	return world->verdicts.items;
}

static bool is_signed(const struct build_verdict *build)
{
	for (size_t i = 0; i < build->signature_count; i++)
		if (build->signatures[i].is_verified)
			return true;
	return false;
}

static void assert_refused(const struct build_verdict *build, const char *why)
{
	assert_true(build->refused);
	assert_non_null(strstr(build->reason, why));
	if (strstr(build->reason, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", build->reason, why);
}

static void assert_unsigned(const struct build_verdict *build, const char *why)
{
	if (build->refused)
		fail_msg("refused: %s", build->reason);
	assert_false(is_signed(build));
	if (why == NULL) {
		assert_null(build->undecided);
		return;
	}
	assert_non_null(build->undecided);
	if (strstr(build->undecided, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", build->undecided, why);
}

static void assert_signed(const struct build_verdict *build)
{
	if (build->refused)
		fail_msg("refused: %s", build->reason);
	if (!is_signed(build))
		fail_msg("not signed: %s", build->undecided != NULL ? build->undecided : "-");
}

static void done(struct world *world)
{
	arena_free(&world->arena);
	*world = (struct world){0};
}

/* The first occurrence of what becomes with, of the same length. */
static struct bytes edited(struct world *world, const char *fixture, const char *what,
                           const char *with)
{
	struct bytes copy = arena_copy(&world->arena, load(world, fixture));
	uint8_t *at = memmem(copy.data, copy.len, what, strlen(what));

	assert_non_null(at);
	memcpy(at, with, strlen(with));
	return copy;
}

/* --- Sigstore ----------------------------------------------------------------------------------
 */

static void the_templates_bundles_sign_their_build(void **state)
{
	static const char *const bundles[] = {
	        "sigstore/synthetic_eif_v3.sigstore.json",
	        "sigstore/synthetic_eif_legacy.sigstore.json",
	        "sigstore/synthetic_pcr_payload_v3.sigstore.json",
	        "sigstore/synthetic_pcr_payload_legacy.sigstore.json",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bundles); i++) {
		struct world world = {0};
		want_ours(&world);
		const struct measured *eif = add(&world, "enclave.eif", "eif/basic2rd.eif");
		const struct measured *bundle =
		        add(&world, "measurements.sigstore.json", bundles[i]);
		assert_int_equal(bundle->format, FORMAT_SIGSTORE);
		assert_true(bundle->signature.is_decided);
		assert_non_null(strstr(bundle->signature.signer, OURS));
		assert_true(hash32_equal(&bundle->value, &eif->value));
		const struct build_verdict *build = judge(&world);
		assert_signed(build);
		assert_string_equal(build->eif, "enclave.eif");
		const struct build_signature *signature = &build->signatures[0];
		assert_true(signature->cover_count >= 1);
		assert_int_equal(signature->covers[0], 0);
		assert_true(checks_passed(&signature->checks, "subject"));
		done(&world);
	}
}

static void claims_alone_are_signed_through_their_pcrs(void **state)
{
	struct world world = {0};

	(void)state;
	want_ours(&world);
	add(&world, "measurements.json", "nitro/measurements_new_template.json");
	add(&world, "measurements.sigstore.json",
	    "sigstore/synthetic_pcr_payload_v3.sigstore.json");
	assert_signed(judge(&world));
	done(&world);
	/* The image that was attested is not here: nothing that is here was. */
	want_ours(&world);
	add(&world, "measurements.json", "nitro/measurements_new_template.json");
	add(&world, "measurements.sigstore.json", "sigstore/synthetic_eif_v3.sigstore.json");
	assert_unsigned(judge(&world), "it attests enclave.eif");
	done(&world);
	/* Alone it makes a build, and attests its own value. */
	want_ours(&world);
	add(&world, "measurements.sigstore.json",
	    "sigstore/synthetic_pcr_payload_v3.sigstore.json");
	assert_signed(judge(&world));
	done(&world);
}

static void without_a_rule_nothing_is_signed_and_nothing_refused(void **state)
{
	struct world world = {0};

	(void)state;
	add(&world, "enclave.eif", "eif/basic2rd.eif");
	const struct measured *bundle = add(&world, "measurements.sigstore.json",
	                                    "sigstore/synthetic_eif_v3.sigstore.json");
	assert_false(bundle->refused || bundle->signature.is_decided);
	assert_non_null(strstr(bundle->signature.reason, "no trusted root is configured"));
	const struct build_verdict *build = judge(&world);
	assert_unsigned(build, NULL);
	assert_int_equal(build->signature_count, 1); /* it is shown all the same */
	done(&world);
}

static void another_identity_refuses_the_build(void **state)
{
	static const char *const others[] = {
	        "https://github.com/example-org/my-enclave-2/.github/workflows/",
	        OURS "build-and-release.yml@refs/heads/",
	        OURS "build-and-release.yml@refs/tags/v1.2.4",
	        "https://gitlab.com/example-org/my-enclave/.github/workflows/",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct world world = {0};
		want_sigstore(&world, others[i], "sigstore/synthetic_trusted_root.json");
		add(&world, "enclave.eif", "eif/basic2rd.eif");
		add(&world, "measurements.sigstore.json",
		    "sigstore/synthetic_eif_v3.sigstore.json");
		assert_refused(judge(&world),
		               "measurements.sigstore.json: workflow: signed by " OURS);
		done(&world);
	}
	struct world world = {0};
	want_ours(&world);
	world.signing.issuer = "https://token.example";
	add(&world, "enclave.eif", "eif/basic2rd.eif");
	add(&world, "measurements.sigstore.json", "sigstore/synthetic_eif_v3.sigstore.json");
	assert_refused(judge(&world),
	               "issuer: " SIGSTORE_GITHUB ", expected https://token.example");
	done(&world);
}

static void another_root_refuses_the_build(void **state)
{
	struct world world = {0};

	(void)state;
	want_sigstore(&world, OURS, "sigstore/go_public-good.json");
	add(&world, "enclave.eif", "eif/basic2rd.eif");
	add(&world, "measurements.sigstore.json", "sigstore/synthetic_eif_v3.sigstore.json");
	assert_refused(judge(&world), "log-promise: the trusted root does not know this log");
	done(&world);
}

static void a_bundle_over_other_bytes_refuses_the_build(void **state)
{
	struct world world = {0};

	(void)state;
	/* Same measurements, other bytes: the same image with something behind it that PCRs do not
	 * cover. */
	want_ours(&world);
	struct measured *eif = add(&world, "enclave.eif", "eif/basic2rd.eif");
	memset(eif->sha256.b, 7, sizeof(eif->sha256.b));
	add(&world, "measurements.sigstore.json", "sigstore/synthetic_eif_v3.sigstore.json");
	assert_refused(judge(&world), "measurements.sigstore.json: subject: it attests enclave.eif "
	                              "(SHA-256 bd720942");
	done(&world);
	/* Other measurements: what it says contradicts the image. */
	want_ours(&world);
	add(&world, "enclave.eif", "eif/one_ramdisk.eif");
	add(&world, "measurements.sigstore.json", "sigstore/synthetic_eif_v3.sigstore.json");
	assert_refused(judge(&world), "measurements.sigstore.json says 0x");
	done(&world);
}

static void a_broken_bundle_refuses_the_build(void **state)
{
	static const struct {
		const char *what, *with, *why;
	} edits[] = {
	        {"\"sig\": \"M", "\"sig\": \"N", "envelope: "},
	        {"\"signedEntryTimestamp\": \"M", "\"signedEntryTimestamp\": \"N", "log-promise: "},
	        {"\"rootHash\": \"", "\"rootHash\": \"!", "rootHash: "},
	        {"\"payload\": \"ey", "\"payload\": \"fy", "payload: "},
	};
	struct world world = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
		want_ours(&world);
		add(&world, "enclave.eif", "eif/basic2rd.eif");
		struct measured *bundle =
		        add_bytes(&world, "measurements.sigstore.json",
		                  edited(&world, "sigstore/synthetic_eif_v3.sigstore.json",
		                         edits[i].what, edits[i].with));
		assert_true(bundle->refused);
		assert_refused(judge(&world), edits[i].why);
		done(&world);
	}
	/* Cut off: it claims to be one by its name, with a rule or without. */
	for (int ruled = 0; ruled < 2; ruled++) {
		struct bytes whole = load(&world, "sigstore/synthetic_eif_v3.sigstore.json");
		if (ruled)
			want_ours(&world);
		add(&world, "enclave.eif", "eif/basic2rd.eif");
		add_bytes(&world, "measurements.sigstore.json",
		          bytes_of(whole.data, whole.len / 2));
		assert_refused(judge(&world), "measurements.sigstore.json: ");
		done(&world);
	}
}

/* Of two images in one folder it refuses that which it is about. */
static void a_wrong_bundle_refuses_its_own_build_alone(void **state)
{
	struct world world = {0};

	(void)state;
	want_sigstore(&world, OURS "other.yml@", "sigstore/synthetic_trusted_root.json");
	add(&world, "a.eif", "eif/basic2rd.eif");
	add(&world, "b.eif", "eif/one_ramdisk.eif");
	add(&world, "measurements.sigstore.json", "sigstore/synthetic_eif_v3.sigstore.json");
	build_judge(&world.arena, world.files, world.count, &world.signing, &world.verdicts);
	assert_int_equal(world.verdicts.count, 2);
	assert_refused(&world.verdicts.items[0], "workflow");
	assert_false(world.verdicts.items[1].refused);
	done(&world);
}

static void attestations_of_other_things_are_not_ours(void **state)
{
	struct world world = {0};
	struct bytes legacy;

	(void)state;
	want_ours(&world);
	add(&world, "enclave.eif", "eif/basic2rd.eif");
	assert_int_equal(
	        add(&world, "sbom.sigstore.json", "sigstore/conf_happy-path-intoto-in-dsse-v3.json")
	                ->format,
	        FORMAT_UNKNOWN);
	assert_int_equal(
	        add_text(&world, "other.sigstore.json",
	                 "{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\","
	                 "\"messageSignature\":{}}")
	                ->format,
	        FORMAT_UNKNOWN);
	assert_unsigned(judge(&world), NULL);
	done(&world);
	/* By that name it would be. */
	want_ours(&world);
	add(&world, "enclave.eif", "eif/basic2rd.eif");
	add(&world, "measurements.sigstore.json",
	    "sigstore/conf_happy-path-intoto-in-dsse-v3.json");
	assert_refused(judge(&world), "measurements.sigstore.json: ");
	done(&world);
	/* A signature over a file instead of an attestation, in the old layout. */
	want_ours(&world);
	legacy = bytes_text("{\"base64Signature\":\"MEUC\",\"cert\":\"\",\"rekorBundle\":{}}");
	assert_true(add_bytes(&world, "measurements.sigstore.json", legacy)->refused);
	done(&world);
}

/* The type is the target's choice: provenance as GitHub's own action makes it, on a real bundle. */
static void the_type_of_attestation_is_the_rules(void **state)
{
	struct world world = {0};

	(void)state;
	want_sigstore(&world,
	              "https://github.com/sigstore-conformance/"
	              "extremely-dangerous-public-oidc-beacon/.github/workflows/",
	              "sigstore/go_public-good.json");
	world.signing.predicate_type = "https://slsa.dev/provenance/v1";
	struct measured *compose = add_text(&world, "app-compose.json",
	                                    "{\"manifest_version\":2,\"name\":\"a\","
	                                    "\"runner\":\"bash\",\"bash_script\":\"true\"}");
	assert_int_equal(compose->format, FORMAT_APP_COMPOSE);
	struct measured *bundle = add(&world, "app-compose.json.sigstore.json",
	                              "sigstore/conf_happy-path-intoto-in-dsse-v3.json");
	assert_true(bundle->signature.is_decided);
	assert_unsigned(judge(&world), "it attests a.txt");
	/* As if the file were the one that was attested. */
	compose->sha256 = bundle->signature.subjects[0].sha256;
	assert_signed(judge(&world));
	done(&world);
}

/* --- Ed25519 -----------------------------------------------------------------------------------
 */

/* A claim whose bytes are as if they were "test", which the vector is over. */
static void add_test(struct world *world)
{
	struct measured *claim =
	        add(world, "measurements.json", "nitro/measurements_new_template.json");

	assert_true(claim->has_blake2b);
	blake2b(claim->blake2b, bytes_text("test"));
}

static void a_minisign_signature_signs_the_file_of_its_name(void **state)
{
	struct world world = {0};

	(void)state;
	want_ed25519(&world, KEY);
	add_test(&world);
	const struct measured *file = add_text(&world, "measurements.json.minisig", MINISIG);
	assert_int_equal(file->format, FORMAT_MINISIGN);
	assert_true(file->signature.is_decided);
	assert_string_equal(file->signature.signer, "E7620F1842B4E81F");
	const struct build_verdict *build = judge(&world);
	assert_signed(build);
	assert_true(checks_passed(&build->signatures[0].checks, "signature"));
	done(&world);
	/* Beside another file it signs nothing. */
	want_ed25519(&world, KEY);
	add_test(&world);
	add_text(&world, "sbom.json.minisig", MINISIG);
	assert_unsigned(judge(&world), NULL);
	done(&world);
	/* Of images the digest is computed while they are read. */
	want_ed25519(&world, KEY);
	struct bytes eif = load(&world, "eif/basic2rd.eif");
	const struct measured *image = add_bytes(&world, "enclave.eif", eif);
	uint8_t digest[BLAKE2B_SIZE];
	blake2b(digest, eif);
	assert_true(image->has_blake2b);
	assert_memory_equal(image->blake2b, digest, sizeof(digest));
	done(&world);
	assert_false(add(&world, "enclave.eif", "eif/basic2rd.eif")->has_blake2b);
	done(&world);
}

static void wrong_minisign_signatures_refuse_the_build(void **state)
{
	struct world world = {0};

	(void)state;
	/* Over other bytes. */
	want_ed25519(&world, KEY);
	add(&world, "measurements.json", "nitro/measurements_new_template.json");
	add_text(&world, "measurements.json.minisig", MINISIG);
	assert_refused(judge(&world),
	               "measurements.json.minisig: signature: it is over other bytes "
	               "than those of measurements.json");
	done(&world);
	/* With another key. */
	want_ed25519(&world, OTHER_KEY);
	add_test(&world);
	add_text(&world, "measurements.json.minisig", MINISIG);
	assert_refused(judge(&world), "key: signed with key E7620F1842B4E81F, which is not among");
	done(&world);
	/* With another trusted comment. */
	want_ed25519(&world, KEY);
	add_test(&world);
	char *text = arena_strdup(&world.arena, MINISIG);
	*strstr(text, "1633700835") = '2';
	add_text(&world, "measurements.json.minisig", text);
	assert_refused(judge(&world), "trusted-comment: ");
	done(&world);
	/* Broken. */
	want_ed25519(&world, KEY);
	add_test(&world);
	add_text(&world, "measurements.json.minisig", FIRST "RUQf\n");
	assert_refused(judge(&world), "measurements.json.minisig: line 2");
	done(&world);
}

static void what_cannot_be_decided_says_why(void **state)
{
	struct world world = {0};

	(void)state;
	want_ed25519(&world, KEY);
	add_test(&world);
	add_text(&world, "measurements.json.minisig", OLD_MINISIG);
	assert_unsigned(judge(&world), "a signature of the old kind");
	done(&world);
	/* Measured before the rule was there. */
	want_ed25519(&world, KEY);
	struct measured *claim =
	        add(&world, "measurements.json", "nitro/measurements_new_template.json");
	claim->has_blake2b = false;
	add_text(&world, "measurements.json.minisig", MINISIG);
	assert_unsigned(judge(&world), NULL);
	done(&world);
	/* Without a rule a signature is shown, and a broken one is nobody's. */
	add(&world, "measurements.json", "nitro/measurements_new_template.json");
	assert_int_equal(add_text(&world, "measurements.json.minisig", MINISIG)->format,
	                 FORMAT_MINISIGN);
	assert_int_equal(add_text(&world, "a.minisig", "nothing")->format, FORMAT_UNKNOWN);
	assert_unsigned(judge(&world), NULL);
	done(&world);
}

static void rules_differ_in_their_digests(void **state)
{
	struct world world = {0};
	struct hash32 seen[5];

	(void)state;
	want_ours(&world);
	seen[0] = world.signing.digest;
	want_sigstore(&world, OURS "a@", "sigstore/synthetic_trusted_root.json");
	seen[1] = world.signing.digest;
	want_sigstore(&world, OURS, "sigstore/go_public-good.json");
	seen[2] = world.signing.digest;
	want_ed25519(&world, KEY);
	seen[3] = world.signing.digest;
	want_ed25519(&world, OTHER_KEY);
	seen[4] = world.signing.digest;
	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		for (size_t k = 0; k < i; k++)
			assert_false(hash32_equal(&seen[i], &seen[k]));
	want_ours(&world);
	assert_true(hash32_equal(&seen[0], &world.signing.digest));
	done(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_templates_bundles_sign_their_build),
	        cmocka_unit_test(claims_alone_are_signed_through_their_pcrs),
	        cmocka_unit_test(without_a_rule_nothing_is_signed_and_nothing_refused),
	        cmocka_unit_test(another_identity_refuses_the_build),
	        cmocka_unit_test(another_root_refuses_the_build),
	        cmocka_unit_test(a_bundle_over_other_bytes_refuses_the_build),
	        cmocka_unit_test(a_broken_bundle_refuses_the_build),
	        cmocka_unit_test(a_wrong_bundle_refuses_its_own_build_alone),
	        cmocka_unit_test(attestations_of_other_things_are_not_ours),
	        cmocka_unit_test(the_type_of_attestation_is_the_rules),
	        cmocka_unit_test(a_minisign_signature_signs_the_file_of_its_name),
	        cmocka_unit_test(wrong_minisign_signatures_refuse_the_build),
	        cmocka_unit_test(what_cannot_be_decided_says_why),
	        cmocka_unit_test(rules_differ_in_their_digests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
