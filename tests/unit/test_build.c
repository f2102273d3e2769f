#include "common/measure/build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { MAX_ARTIFACTS = 8 };

/* A folder under test. */
struct folder {
	struct arena arena;
	struct measured measured[MAX_ARTIFACTS];
	struct build_artifact artifacts[MAX_ARTIFACTS];
	size_t count;
	const struct signing *signing;
	struct build_verdicts verdicts;
};

static struct measured *add(struct folder *folder, const char *name, enum format format, int seed)
{
	struct measured *measured = &folder->measured[folder->count];

	*measured = (struct measured){
	        .format = format,
	        .level = format == FORMAT_EIF ? LEVEL_RECOMPUTED : LEVEL_CLAIMED,
	};
	memset(&measured->pcrs, seed, 3 * SHA384_SIZE);
	memset(&measured->value, seed, sizeof(measured->value));
	folder->artifacts[folder->count] =
	        (struct build_artifact){.name = name, .measured = measured};
	folder->count++;
	return measured;
}

static void refuse(struct measured *measured, const char *why, bool with_value)
{
	measured->refused = true;
	measured->refusal = (char *)why;
	if (!with_value)
		memset(&measured->value, 0, sizeof(measured->value));
}

static const struct build_verdict *judge(struct folder *folder, size_t builds)
{
	build_judge(&folder->arena, folder->artifacts, folder->count, folder->signing,
	            &folder->verdicts);
	assert_int_equal(folder->verdicts.count, builds);
	return folder->verdicts.items;
}

static void assert_value(const struct build_verdict *verdict, int seed)
{
	struct hash32 want;

	memset(&want, seed, sizeof(want));
	assert_true(verdict->has_value);
	assert_true(hash32_equal(&verdict->value, &want));
}

static void assert_says(const struct build_verdict *verdict, const char *text)
{
	assert_true(verdict->refused);
	if (strstr(verdict->reason, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", verdict->reason, text);
}

static void an_image_alone_is_a_recomputed_build(void **state)
{
	struct folder folder = {0};

	(void)state;
	add(&folder, "a.eif", FORMAT_EIF, 1);
	add(&folder, "notes.txt", FORMAT_UNKNOWN, 9);
	const struct build_verdict *build = judge(&folder, 1);
	assert_false(build->refused);
	assert_string_equal(build->eif, "a.eif");
	assert_int_equal(build->level, LEVEL_RECOMPUTED);
	assert_int_equal(build->artifact_count, 1);
	assert_value(build, 1);
	arena_free(&folder.arena);
}

static void files_that_say_the_same_as_the_image_belong_to_it(void **state)
{
	struct folder folder = {0};

	(void)state;
	add(&folder, "measurements.json", FORMAT_MEASUREMENTS, 1);
	add(&folder, "a.eif", FORMAT_EIF, 1)->is_signed = true;
	add(&folder, "build.json", FORMAT_NITRO_BUILD, 1);
	const struct build_verdict *build = judge(&folder, 1);
	assert_false(build->refused);
	assert_true(build->is_signed);
	assert_int_equal(build->level, LEVEL_RECOMPUTED);
	assert_int_equal(build->artifact_count, 3);
	assert_int_equal(build->artifacts[0], 1);
	arena_free(&folder.arena);
}

static void without_an_image_files_make_one_claimed_build(void **state)
{
	struct folder folder = {0};

	(void)state;
	add(&folder, "measurements.json", FORMAT_MEASUREMENTS, 4);
	add(&folder, "build.json", FORMAT_NITRO_BUILD, 4);
	const struct build_verdict *build = judge(&folder, 1);
	assert_false(build->refused);
	assert_string_equal(build->eif, "");
	assert_int_equal(build->level, LEVEL_CLAIMED);
	assert_int_equal(build->artifact_count, 2);
	assert_value(build, 4);
	arena_free(&folder.arena);
}

static void nothing_of_ours_is_no_build(void **state)
{
	struct folder folder = {0};

	(void)state;
	judge(&folder, 0);
	add(&folder, "notes.txt", FORMAT_UNKNOWN, 1);
	judge(&folder, 0);
	arena_free(&folder.arena);
}

static void a_file_that_contradicts_the_image_refuses_the_build(void **state)
{
	struct folder folder = {0};

	(void)state;
	add(&folder, "a.eif", FORMAT_EIF, 1);
	add(&folder, "build.json", FORMAT_NITRO_BUILD, 1);
	add(&folder, "measurements.json", FORMAT_MEASUREMENTS, 2);
	const struct build_verdict *build = judge(&folder, 1);
	assert_says(build, "measurements.json says 0x0202020202020202020202020202020202020202020202"
	                   "020202020202020202 (PCR0 020202");
	assert_says(build,
	            "02), but a.eif gives 0x01010101010101010101010101010101010101010101010101"
	            "01010101010101 (PCR0 010101");
	assert_value(build, 1);
	arena_free(&folder.arena);
}

static void two_files_that_differ_without_an_image_refuse_the_build(void **state)
{
	struct folder folder = {0};

	(void)state;
	add(&folder, "x.json", FORMAT_NITRO_BUILD, 1);
	add(&folder, "y.json", FORMAT_NITRO_DESCRIBE, 2);
	const struct build_verdict *build = judge(&folder, 1);
	assert_says(build, "y.json says 0x0202");
	assert_says(build, ", but x.json says 0x0101");
	arena_free(&folder.arena);
}

static void each_image_is_a_build_of_its_own(void **state)
{
	struct folder folder = {0};

	(void)state;
	add(&folder, "a.eif", FORMAT_EIF, 1);
	add(&folder, "b.eif", FORMAT_EIF, 2);
	add(&folder, "b.json", FORMAT_NITRO_BUILD, 2);
	add(&folder, "a.json", FORMAT_NITRO_BUILD, 1);
	const struct build_verdict *builds = judge(&folder, 2);
	assert_false(builds[0].refused);
	assert_false(builds[1].refused);
	assert_string_equal(builds[0].eif, "a.eif");
	assert_int_equal(builds[0].artifact_count, 2);
	assert_int_equal(builds[0].artifacts[1], 3);
	assert_value(&builds[1], 2);
	assert_int_equal(builds[1].artifacts[1], 2);
	arena_free(&folder.arena);
}

static void a_file_that_fits_none_of_several_images_refuses_them_all(void **state)
{
	struct folder folder = {0};

	(void)state;
	add(&folder, "a.eif", FORMAT_EIF, 1);
	add(&folder, "b.eif", FORMAT_EIF, 2);
	add(&folder, "a.json", FORMAT_NITRO_BUILD, 1);
	add(&folder, "c.json", FORMAT_NITRO_BUILD, 3);
	const struct build_verdict *builds = judge(&folder, 2);
	assert_says(&builds[0], "c.json says 0x0303");
	assert_says(&builds[1], ", but b.eif gives 0x0202");
	arena_free(&folder.arena);
}

static void a_refused_image_refuses_its_build_only(void **state)
{
	struct folder folder = {0};

	(void)state;
	add(&folder, "a.eif", FORMAT_EIF, 1);
	refuse(add(&folder, "b.eif", FORMAT_EIF, 2), "truncated section 4", false);
	add(&folder, "b.json", FORMAT_NITRO_BUILD, 2);
	const struct build_verdict *builds = judge(&folder, 2);
	assert_false(builds[0].refused);
	assert_int_equal(builds[0].artifact_count, 1);
	assert_says(&builds[1], "b.eif: truncated section 4");
	assert_int_equal(builds[1].artifact_count, 2);
	arena_free(&folder.arena);
}

static void a_refused_file_refuses_the_build_whose_value_it_has(void **state)
{
	struct folder folder = {0};

	(void)state;
	add(&folder, "a.eif", FORMAT_EIF, 1);
	add(&folder, "b.eif", FORMAT_EIF, 2);
	refuse(add(&folder, "b.json", FORMAT_NITRO_DESCRIBE, 2), "CheckCRC: false", true);
	const struct build_verdict *builds = judge(&folder, 2);
	assert_false(builds[0].refused);
	assert_says(&builds[1], "b.json: CheckCRC: false");
	arena_free(&folder.arena);
}

static void a_refused_file_without_a_value_refuses_what_it_may_belong_to(void **state)
{
	struct folder folder = {0};

	(void)state;
	add(&folder, "a.eif", FORMAT_EIF, 1);
	refuse(add(&folder, "measurements.json", FORMAT_MEASUREMENTS, 0), "PCR1: missing", false);
	assert_says(judge(&folder, 1), "measurements.json: PCR1: missing");
	arena_free(&folder.arena);
}

static void a_debug_enclave_is_refused(void **state)
{
	struct folder folder = {0};

	(void)state;
	struct measured *debug = add(&folder, "measurements.json", FORMAT_MEASUREMENTS, 7);
	memset(&debug->pcrs, 0, sizeof(debug->pcrs));
	assert_says(judge(&folder, 1), "measurements.json: PCR0, PCR1 or PCR2 is zero");
	arena_free(&folder.arena);
}

static void another_signer_is_a_contradiction(void **state)
{
	struct folder folder = {0};

	(void)state;
	struct measured *image = add(&folder, "a.eif", FORMAT_EIF, 1);
	struct measured *claim = add(&folder, "d.json", FORMAT_NITRO_DESCRIBE, 1);
	image->pcrs.has_pcr8 = true;
	assert_false(judge(&folder, 1)->refused); /* an unsigned claim says nothing about PCR8 */
	claim->pcrs.has_pcr8 = true;
	assert_false(judge(&folder, 1)->refused);
	memset(claim->pcrs.pcr8, 3, SHA384_SIZE);
	assert_says(judge(&folder, 1), "d.json and a.eif have the same value but another PCR8");
	arena_free(&folder.arena);
}

/* Whatever the order of the files, every build gets the same verdict. */
static void the_order_of_files_does_not_matter(void **state)
{
	static const size_t orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}, {1, 3, 0, 2}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		struct folder folder = {0}, shuffled = {0};
		add(&folder, "a.eif", FORMAT_EIF, 1);
		refuse(add(&folder, "b.eif", FORMAT_EIF, 2), "crc", true);
		add(&folder, "b.json", FORMAT_NITRO_BUILD, 2);
		add(&folder, "a.json", FORMAT_NITRO_BUILD, 1);
		shuffled.count = 4;
		for (size_t j = 0; j < 4; j++)
			shuffled.artifacts[j] = folder.artifacts[orders[i][j]];
		const struct build_verdict *builds = judge(&shuffled, 2);
		for (size_t j = 0; j < 2; j++) {
			assert_int_equal(builds[j].refused, strcmp(builds[j].eif, "b.eif") == 0);
			assert_int_equal(builds[j].artifact_count, 2);
		}
		arena_free(&folder.arena);
		arena_free(&shuffled.arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(an_image_alone_is_a_recomputed_build),
	        cmocka_unit_test(files_that_say_the_same_as_the_image_belong_to_it),
	        cmocka_unit_test(without_an_image_files_make_one_claimed_build),
	        cmocka_unit_test(nothing_of_ours_is_no_build),
	        cmocka_unit_test(a_file_that_contradicts_the_image_refuses_the_build),
	        cmocka_unit_test(two_files_that_differ_without_an_image_refuse_the_build),
	        cmocka_unit_test(each_image_is_a_build_of_its_own),
	        cmocka_unit_test(a_file_that_fits_none_of_several_images_refuses_them_all),
	        cmocka_unit_test(a_refused_image_refuses_its_build_only),
	        cmocka_unit_test(a_refused_file_refuses_the_build_whose_value_it_has),
	        cmocka_unit_test(a_refused_file_without_a_value_refuses_what_it_may_belong_to),
	        cmocka_unit_test(a_debug_enclave_is_refused),
	        cmocka_unit_test(another_signer_is_a_contradiction),
	        cmocka_unit_test(the_order_of_files_does_not_matter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
