#include "common/measure/eif.h"

#include "common/base/buf.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* How the reasons of expected.json read in our refusals. */
static const struct {
	const char *reason, *refusal;
} reasons[] = {
        {"no ramdisk", "no ramdisk section"},
        {"crc", "byte 544: CRC-32 deadbeef, the content gives 64777a90"},
        {"Invalid section type", "unknown section type 6, expected 1 to 5"},
        {"invalid section", "invalid section type 0, expected 1 to 5"},
        {"magic", "byte 0: magic 2e454946, expected 2e656966"},
        {"section count differs", "byte 26: section count differs: 4 in the header, 5 found"},
        {"trailing bytes", "11 trailing bytes at byte 1113"},
        {"truncated section",
         "truncated section 4 (ramdisk): 84 bytes from byte 1029 on, the file ends 3 short"},
        {"version", "byte 4: version 5, expected 2, 3 or 4"},
        {"Failed to get signature payload: UnverifiedSignature",
         "signature section: the signature does not verify"},
};

static struct hasher *hasher_of(void **state)
{
	return *state;
}

static struct eif read_memory(struct arena *arena, struct hasher *hasher, struct bytes file)
{
	struct source source = source_memory(file);
	struct eif eif;

	assert_int_equal(eif_read(arena, &source, hasher, &eif, NULL), 0);
	return eif;
}

static struct bytes load(struct arena *arena, const char *name)
{
	return fixture_bytes(arena, arena_printf(arena, "tests/fixtures/eif/%s.eif", name));
}

static void assert_pcr(const uint8_t pcr[SHA384_SIZE], const struct jval *measurements,
                       const char *key)
{
	uint8_t want[SHA384_SIZE];

	fixture_fixed(want, sizeof(want), measurements, key);
	assert_memory_equal(pcr, want, sizeof(want));
}

static void assert_as_aws_reads_it(const struct eif *eif, const struct jval *aws)
{
	const struct jval *measurements = jval_get(aws, "Measurements");
	struct hash32 value;

	assert_int_equal(eif->version, fixture_int(aws, "EifVersion"));
	assert_pcr(eif->pcrs.pcr0, measurements, "PCR0");
	assert_pcr(eif->pcrs.pcr1, measurements, "PCR1");
	assert_pcr(eif->pcrs.pcr2, measurements, "PCR2");
	assert_int_equal(eif->pcrs.has_pcr8, jval_get(measurements, "PCR8") != NULL);
	if (eif->pcrs.has_pcr8)
		assert_pcr(eif->pcrs.pcr8, measurements, "PCR8");
	fixture_fixed(value.b, sizeof(value.b), aws, "_os_image_hash");
	struct hash32 got = pcrs_value(&eif->pcrs);
	assert_true(hash32_equal(&got, &value));
	assert_int_equal(eif->is_signed, jval_is_true(jval_get(aws, "IsSigned")));
	assert_int_equal(eif->signature_right, jval_is_true(jval_get(aws, "SignatureCheck")));
	const char *name = jval_get_string(aws, "ImageName");
	assert_true((name == NULL) == (eif->image_name == NULL));
	if (name != NULL)
		assert_string_equal(eif->image_name, name);
}

static void assert_strict_verdict(const struct eif *eif, const struct jval *strict)
{
	if (jval_is_true(strict)) {
		assert_null(eif->refusal);
		return;
	}
	assert_non_null(eif->refusal);
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (strcmp(reasons[i].reason, jval_string(strict)) == 0) {
			if (strstr(eif->refusal, reasons[i].refusal) == NULL)
				fail_msg("\"%s\" does not say \"%s\"", eif->refusal,
				         reasons[i].refusal);
			return;
		}
	fail_msg("no known refusal for \"%s\"", jval_string(strict));
}

struct case_context {
	struct hasher *hasher;
	unsigned count;
};

static int check_case(const char *name, const struct jval *expected, void *arg)
{
	struct case_context *context = arg;
	const struct jval *aws = jval_get(expected, "aws_reader");
	struct arena arena = {0};

	struct bytes file = load(&arena, name);
	struct eif eif = read_memory(&arena, context->hasher, file);
	assert_strict_verdict(&eif, jval_get(expected, "strict"));
	if (jval_get(aws, "error") == NULL) {
		assert_true(eif.complete);
		assert_as_aws_reads_it(&eif, aws);
		uint8_t crc[4];
		fixture_fixed(crc, sizeof(crc), aws, "_crc");
		assert_int_equal(eif.crc_computed, be32_get(crc));
		assert_int_equal(eif.crc_found == eif.crc_computed,
		                 jval_is_true(jval_get(aws, "CheckCRC")));
	}
	if (eif.refusal == NULL || eif.complete) {
		struct hash32 want = sha256(file);
		assert_true(hash32_equal(&eif.sha256, &want));
		assert_int_equal(eif.size, file.len);
	}
	context->count++;
	arena_free(&arena);
	return 0;
}

static void every_vector_is_read_as_aws_reads_it_and_judged_strictly(void **state)
{
	struct jval *expected = fixture_json("tests/fixtures/eif/expected.json");
	struct case_context context = {.hasher = hasher_of(state)};

	jval_each(expected, check_case, &context);
	assert_int_equal(context.count, jval_count(expected));
	assert_true(context.count > 20);
	jval_free(expected);
}

static void every_bit_counts(void **state)
{
	struct arena arena = {0};
	struct bytes file = load(&arena, "basic2rd");
	uint8_t *copy = (uint8_t *)arena_copy(&arena, file).data;

	for (size_t i = 0; i < file.len; i++) {
		struct arena scratch = {0};
		copy[i] ^= (uint8_t)(1 << (i % 8));
		struct eif eif = read_memory(&scratch, hasher_of(state), bytes_of(copy, file.len));
		assert_non_null(eif.refusal);
		copy[i] ^= (uint8_t)(1 << (i % 8));
		arena_free(&scratch);
	}
	arena_free(&arena);
}

static void every_truncation_is_refused(void **state)
{
	struct arena arena = {0};
	struct bytes file = load(&arena, "signed_secp384r1");

	for (size_t len = 0; len < file.len; len++) {
		struct arena scratch = {0};
		struct eif eif = read_memory(&scratch, hasher_of(state), bytes_of(file.data, len));
		assert_non_null(eif.refusal);
		arena_free(&scratch);
	}
	arena_free(&arena);
}

/* --- files made here ---------------------------------------------------------------------------
 */

struct part {
	uint16_t type;
	struct bytes data;
};

static uint32_t crc_of(struct bytes in)
{
	uint32_t state = ~0u;

	for (size_t i = 0; i < in.len; i++) {
		state ^= in.data[i];
		for (int bit = 0; bit < 8; bit++)
			state = state >> 1 ^ (0xedb88320u & -(state & 1));
	}
	return ~state;
}

static void put_be16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* A right file of version 4 with these sections; its CRC is over all but the CRC. */
static void build(struct buf *out, const struct part *parts, size_t count)
{
	buf_append_zeros(out, EIF_HEADER_SIZE);
	for (size_t i = 0; i < count; i++) {
		uint8_t head[EIF_SECTION_HEADER_SIZE] = {0};
		if (i < EIF_MAX_SECTIONS) {
			be64_put(out->data + 28 + 8 * i, out->len);
			be64_put(out->data + 284 + 8 * i, parts[i].data.len);
		}
		put_be16(head, parts[i].type);
		be64_put(head + 4, parts[i].data.len);
		buf_append(out, head, sizeof(head));
		buf_append_bytes(out, parts[i].data);
	}
	memcpy(out->data, ".eif", 4);
	put_be16(out->data + 4, 4);
	put_be16(out->data + 26, (unsigned)count);
}

static void seal(struct buf *file)
{
	struct buf covered = {0};

	buf_append(&covered, file->data, 544);
	buf_append(&covered, file->data + 548, file->len - 548);
	be32_put(file->data + 544, crc_of(buf_bytes(&covered)));
	buf_free(&covered);
}

static const char metadata[] =
        "{\"ImageName\":\"a\",\"ImageVersion\":\"1\",\"BuildMetadata\":{\"BuildTime\":\"t\","
        "\"BuildTool\":\"b\",\"BuildToolVersion\":\"1\",\"OperatingSystem\":\"Linux\","
        "\"KernelVersion\":\"4\"},\"DockerInfo\":null,\"CustomMetadata\":null}";

static void assert_refused(void **state, struct buf *file, const char *refusal)
{
	struct arena arena = {0};

	seal(file);
	struct eif eif = read_memory(&arena, hasher_of(state), buf_bytes(file));
	if (refusal == NULL)
		assert_null(eif.refusal);
	else
		assert_non_null(eif.refusal);
	if (refusal != NULL && strstr(eif.refusal, refusal) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", eif.refusal, refusal);
	arena_free(&arena);
	buf_free(file);
}

static void other_breaches_of_the_profile_are_named(void **state)
{
	const struct part kernel = {EIF_KERNEL, bytes_text("k")};
	const struct part cmdline = {EIF_CMDLINE, bytes_text("c")};
	const struct part ramdisk = {EIF_RAMDISK, bytes_text("r")};
	const struct part meta = {EIF_METADATA, bytes_text(metadata)};
	struct buf file = {0};

	build(&file, (struct part[]){kernel, cmdline, meta, ramdisk}, 4);
	assert_refused(state, &file, NULL);

	build(&file, (struct part[]){kernel, kernel, cmdline, meta, ramdisk}, 5);
	assert_refused(state, &file, "2 kernel sections, expected one");
	build(&file, (struct part[]){ramdisk, kernel, cmdline, meta}, 4);
	assert_refused(state, &file, "section 0: ramdisk before the kernel");
	build(&file, (struct part[]){kernel, meta, ramdisk}, 3);
	assert_refused(state, &file, "no command line section");
	build(&file, (struct part[]){kernel, cmdline, ramdisk}, 3);
	assert_refused(state, &file, "no metadata section, expected one in version 4");
	build(&file, (struct part[]){kernel, cmdline, meta, meta, ramdisk}, 5);
	assert_refused(state, &file, "2 metadata sections, expected one");

	build(&file, (struct part[]){kernel, cmdline, meta, ramdisk}, 4);
	put_be16(file.data + 6, 2);
	assert_refused(state, &file, "byte 6: flags 0x0002, expected only bit 0");
	build(&file, (struct part[]){kernel, cmdline, meta, ramdisk}, 4);
	put_be16(file.data + 6, 1);
	assert_refused(state, &file, NULL);
	build(&file, (struct part[]){kernel, cmdline, meta, ramdisk}, 4);
	put_be16(file.data + 550, 1);
	assert_refused(state, &file, "byte 550: section flags 0x0001, expected 0");
	build(&file, (struct part[]){kernel, cmdline, meta, ramdisk}, 4);
	be64_put(file.data + 28 + 8, 562);
	assert_refused(state, &file, "header table: section 1 at byte 562 with 1 bytes, found at");
	build(&file, (struct part[]){kernel, cmdline, meta, ramdisk}, 4);
	be64_put(file.data + 284 + 8 * 20, 1);
	assert_refused(state, &file, "header table: entry 20 is not zero");
	build(&file, (struct part[]){kernel, cmdline, meta, ramdisk}, 4);
	be64_put(file.data + 548 + 4, UINT64_MAX);
	be64_put(file.data + 284, UINT64_MAX);
	assert_refused(state, &file, "truncated section 0 (kernel)");
}

static void more_than_32_sections_are_refused(void **state)
{
	struct part parts[33] = {
	        {EIF_KERNEL, bytes_text("k")},
	        {EIF_CMDLINE, bytes_text("c")},
	        {EIF_METADATA, bytes_text(metadata)},
	};
	struct buf file = {0};

	for (size_t i = 3; i < ARRAY_LEN(parts); i++)
		parts[i] = (struct part){EIF_RAMDISK, bytes_text("r")};
	build(&file, parts, 32);
	assert_refused(state, &file, NULL);
	build(&file, parts, 33);
	assert_refused(state, &file, "33 sections, expected 2 to 32");
}

static void metadata_must_have_what_aws_asks_for(void **state)
{
	static const char *const bad[][2] = {
	        {"{", "metadata: not valid JSON"},
	        {"{}", "metadata: ImageName: expected a string"},
	        {"{\"ImageName\":\"a\",\"ImageVersion\":\"1\"}",
	         "metadata: BuildMetadata.BuildTime: expected a string"},
	        {"{\"ImageName\":\"a\",\"ImageName\":\"b\"}", "metadata: not valid JSON"},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf file = {0};
		build(&file,
		      (struct part[]){{EIF_KERNEL, bytes_text("k")},
		                      {EIF_CMDLINE, bytes_text("c")},
		                      {EIF_RAMDISK, bytes_text("r")},
		                      {EIF_METADATA, bytes_text(bad[i][0])}},
		      4);
		assert_refused(state, &file, bad[i][1]);
	}
}

static void a_signature_must_be_over_this_image(void **state)
{
	struct arena arena = {0};
	struct bytes other = load(&arena, "signed_secp384r1");
	const struct part meta = {EIF_METADATA, bytes_text(metadata)};
	struct buf file = {0};

	/* The last section of the signed vector is its signature. */
	unsigned last = be16_get(other.data + 26) - 1u;
	size_t at = (size_t)be64_get(other.data + 28 + 8 * last) + EIF_SECTION_HEADER_SIZE;
	struct bytes signature = bytes_of(other.data + at, other.len - at);
	build(&file,
	      (struct part[]){{EIF_KERNEL, bytes_text("k")},
	                      {EIF_CMDLINE, bytes_text("c")},
	                      {EIF_RAMDISK, bytes_text("r")},
	                      meta,
	                      {EIF_SIGNATURE, signature}},
	      5);
	assert_refused(state, &file,
	               "signature section: the signature is over another PCR0 than this file's");
	build(&file,
	      (struct part[]){{EIF_KERNEL, bytes_text("k")},
	                      {EIF_CMDLINE, bytes_text("c")},
	                      {EIF_RAMDISK, bytes_text("r")},
	                      meta,
	                      {EIF_SIGNATURE, bytes_of(signature.data, signature.len - 1)}},
	      5);
	assert_refused(state, &file, "signature section: signature: CBOR item is cut off");
	arena_free(&arena);
}

/* A file over many blocks, whose sections start and end in the middle of them. */
static void a_large_file_is_hashed_as_a_whole(void **state)
{
	struct arena arena = {0};
	size_t len = 5 * HASH_BLOCK_SIZE + 12345;
	uint8_t *big = arena_alloc(&arena, len);
	struct buf file = {0}, image = {0};
	uint8_t content[2 * SHA384_SIZE] = {0}, want[SHA384_SIZE];

	for (size_t i = 0; i < len; i++)
		big[i] = (uint8_t)(i * 2654435761u >> 13);
	build(&file,
	      (struct part[]){{EIF_KERNEL, bytes_of(big, HASH_BLOCK_SIZE + 7)},
	                      {EIF_CMDLINE, bytes_text("quiet")},
	                      {EIF_RAMDISK, bytes_of(big, 100)},
	                      {EIF_METADATA, bytes_text(metadata)},
	                      {EIF_RAMDISK, bytes_of(big, len)},
	                      {EIF_RAMDISK, bytes_text("end")}},
	      6);
	seal(&file);
	buf_append(&image, big, HASH_BLOCK_SIZE + 7);
	buf_append_text(&image, "quiet");
	buf_append(&image, big, 100);
	buf_append(&image, big, len);
	buf_append_text(&image, "end");
	struct eif eif = read_memory(&arena, hasher_of(state), buf_bytes(&file));
	assert_null(eif.refusal);
	sha384(content + SHA384_SIZE, buf_bytes(&image));
	sha384(want, bytes_of(content, sizeof(content)));
	assert_memory_equal(eif.pcrs.pcr0, want, SHA384_SIZE);
	struct hash32 whole = sha256(buf_bytes(&file));
	assert_true(hash32_equal(&eif.sha256, &whole));
	buf_free(&file);
	buf_free(&image);
	arena_free(&arena);
}

static int sequential(void **state)
{
	crypto_init();
	*state = hasher_new(false);
	return 0;
}

static int threaded(void **state)
{
	crypto_init();
	*state = hasher_new(true);
	return 0;
}

static int done(void **state)
{
	hasher_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_vector_is_read_as_aws_reads_it_and_judged_strictly),
	        cmocka_unit_test(every_bit_counts),
	        cmocka_unit_test(every_truncation_is_refused),
	        cmocka_unit_test(other_breaches_of_the_profile_are_named),
	        cmocka_unit_test(more_than_32_sections_are_refused),
	        cmocka_unit_test(metadata_must_have_what_aws_asks_for),
	        cmocka_unit_test(a_signature_must_be_over_this_image),
	        cmocka_unit_test(a_large_file_is_hashed_as_a_whole),
	};
	int failed = cmocka_run_group_tests(tests, sequential, done);
	return failed + cmocka_run_group_tests(tests, threaded, done);
}
