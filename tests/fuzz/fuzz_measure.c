/* Telling formats apart, for every name a file can have (the first byte chooses): measured once or
 * twice it is the same, and a measurer may say it to main, who reads just that. */
#include "common/measure/detect.h"
#include "daemon/measurer/wire.h"
#include "tests/fuzz/fuzz.h"

static const char *const names[] = {"payments.eif", "measurements.json", "build.log", "", "x.EIF",
                                    "app-compose.json", "sha256sum.txt", "digest.txt",
                                    "measurements.sigstore.json", "x.eif.minisig"};

/* Every rule there is, chosen by the length. The key is that of the minisign seeds. */
static struct minisign_key key;
static const struct signing rules[] = {
        {.kind = SIGNING_NONE},
        {.kind = SIGNING_SIGSTORE,
         .issuer = "https://token.actions.githubusercontent.com",
         .workflow = "https://github.com/example-org/my-enclave/.github/workflows/",
         .predicate_type = "https://dstack.dev/nitro-enclave/measurements/v1"},
        {.kind = SIGNING_ED25519, .keys = {&key, 1}},
};
#define KEY "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"

static void measure(struct arena *arena, struct bytes content, const char *name,
                    struct measured *out)
{
	struct source source = source_memory(content);
	struct hasher *hasher = hasher_new(false);

	struct measure_how how = {.name = name,
	                          .is_kms = content.len % 2 == 1,
	                          .signing = &rules[content.len % ARRAY_LEN(rules)]};
	PROPERTY(minisign_key_parse(&key, bytes_text(KEY), NULL) == 0);
	PROPERTY(measure_source(arena, &source, &how, hasher, out, NULL) == 0);
	hasher_free(hasher);
}

/* Nothing here is signed by anybody: there is no trusted root, and the key's own files are about
 * nothing that is at hand. */
static void check_signature(const struct measured *measured)
{
	const struct signature *signature = &measured->signature;

	PROPERTY((signature->kind == SIGNING_SIGSTORE) == (measured->format == FORMAT_SIGSTORE));
	PROPERTY((signature->kind == SIGNING_ED25519) == (measured->format == FORMAT_MINISIGN));
	PROPERTY(!signature->is_decided || signature->kind == SIGNING_ED25519);
	PROPERTY(signature->subject_count <= SIGNED_SUBJECTS);
	PROPERTY(measured->refused || signature->kind == SIGNING_NONE || signature->is_decided ||
	         signature->reason != NULL);
	for (size_t i = 0; i < measured->value_count; i++)
		PROPERTY(!measured->values[i].is_signed || measured->format == FORMAT_EIF);
}

static void check(const struct measured *measured, struct bytes content)
{
	struct hash32 value = pcrs_value(&measured->pcrs), whole = sha256(content);

	PROPERTY(measured->refused == (measured->refusal != NULL));
	check_signature(measured);
	bool stated_alone = measured->format == FORMAT_BUILD_LOG;
	PROPERTY(hash32_is_zero(&measured->value) || stated_alone ||
	         hash32_equal(&measured->value, &value));
	PROPERTY(hash32_is_zero(&measured->sha256) ||
	         (hash32_equal(&measured->sha256, &whole) && measured->size == content.len));
	if (measured->format == FORMAT_UNKNOWN) {
		PROPERTY(!measured->refused && hash32_is_zero(&measured->value));
	} else if (!measured->refused) {
		PROPERTY(!format_is_nitro(measured->format) ||
		         measured->format == FORMAT_SIGSTORE ||
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
