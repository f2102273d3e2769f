/* Telling formats apart, for every name a file can have (the first byte chooses): measured once or
 * twice it is the same, and a measurer may say it to main, who reads just that. */
#include "common/measure/detect.h"
#include "daemon/measurer/wire.h"
#include "tests/fuzz/fuzz.h"

static const char *const names[] = {"payments.eif", "measurements.json", "build.log", "", "x.EIF",
                                    "app-compose.json", "sha256sum.txt", "digest.txt"};

static void measure(struct arena *arena, struct bytes content, const char *name,
                    struct measured *out)
{
	struct source source = source_memory(content);
	struct hasher *hasher = hasher_new(false);

	struct measure_how how = {.name = name, .is_kms = content.len % 2 == 1};
	PROPERTY(measure_source(arena, &source, &how, hasher, out, NULL) == 0);
	hasher_free(hasher);
}

static void check(const struct measured *measured, struct bytes content)
{
	struct hash32 value = pcrs_value(&measured->pcrs), whole = sha256(content);

	PROPERTY(measured->refused == (measured->refusal != NULL));
	bool stated_alone = measured->format == FORMAT_BUILD_LOG;
	PROPERTY(hash32_is_zero(&measured->value) || stated_alone ||
	         hash32_equal(&measured->value, &value));
	PROPERTY(hash32_is_zero(&measured->sha256) ||
	         (hash32_equal(&measured->sha256, &whole) && measured->size == content.len));
	if (measured->format == FORMAT_UNKNOWN) {
		PROPERTY(!measured->refused && hash32_is_zero(&measured->value));
	} else if (!measured->refused) {
		PROPERTY(!format_is_nitro(measured->format) ||
		         (!hash32_is_zero(&measured->value) &&
		          (stated_alone || !pcrs_any_zero(&measured->pcrs))));
		PROPERTY(!hash32_is_zero(&measured->sha256));
	}
	if (measured->details != NULL) {
		struct jval *details;
		PROPERTY(jval_parse(&details, bytes_text(measured->details), NULL) == 0);
		PROPERTY(jval_is_object(details));
		jval_free(details);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes content = bytes_of(data, size);
	struct measured first, second, heard;
	struct buf body = {0}, again = {0};
	struct arena arena = {0};

	crypto_init();
	const char *name = names[fuzz_take(&content) % ARRAY_LEN(names)];
	measure(&arena, content, name, &first);
	check(&first, content);
	measure(&arena, content, name, &second);
	wire_put_measured(&body, &first);
	wire_put_measured(&again, &second);
	PROPERTY(bytes_equal(buf_bytes(&body), buf_bytes(&again)));

	struct field_reader reader = {.rest = buf_bytes(&body)};
	wire_get_measured(&reader, &arena, &heard);
	PROPERTY(field_reader_done(&reader));
	buf_clear(&again);
	wire_put_measured(&again, &heard);
	PROPERTY(bytes_equal(buf_bytes(&body), buf_bytes(&again)));
	buf_free(&again);
	buf_free(&body);
	arena_free(&arena);
	return 0;
}
