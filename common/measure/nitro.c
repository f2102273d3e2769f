#include "common/measure/nitro.h"

#include <stdio.h>
#include <string.h>

enum { MAX_CANDIDATES = 64, MAX_TEXT = 256 };

static const char *const pcr_keys[] = {"PCR0", "PCR1", "PCR2"};

/* What is being read, and where the outcome goes. */
struct reader {
	struct arena *arena;
	const char *name;
	struct measured *out;
};

static void refuse(struct reader *reader, const char *fmt, ...) PRINTF(2, 3);
static void refuse(struct reader *reader, const char *fmt, ...)
{
	struct error text;
	va_list args;

	if (reader->out->refused)
		return;
	va_start(args, fmt);
	vsnprintf(text.text, sizeof(text.text), fmt, args);
	va_end(args);
	reader->out->refused = true;
	reader->out->refusal = arena_strdup(reader->arena, text.text);
}

static bool named_measurements(const char *name)
{
	return strcasecmp(name, "measurements.json") == 0;
}

static bool has_pcr(const struct jval *object)
{
	for (size_t i = 0; i < ARRAY_LEN(pcr_keys); i++)
		if (jval_get(object, pcr_keys[i]) != NULL)
			return true;
	return false;
}

static int read_pcr(const struct jval *object, const char *key, uint8_t out[SHA384_SIZE],
                    struct error *error)
{
	const char *text = jval_get_string(object, key);

	if (text == NULL)
		return error_set(error, ERR_INVALID, "%s: expected a string of 96 hex digits", key);
	int rc = hex_decode(out, SHA384_SIZE, text, error);
	return rc != 0 ? error_prefix(error, "%s", key) : 0;
}

/* PCR0 to PCR2 and, if there, PCR8. where is in front of the field's name in a refusal. */
static void read_pcrs(struct reader *reader, const struct jval *object, const char *where)
{
	struct pcrs *pcrs = &reader->out->pcrs;
	struct error error;

	int rc = read_pcr(object, "PCR0", pcrs->pcr0, &error);
	if (rc == 0)
		rc = read_pcr(object, "PCR1", pcrs->pcr1, &error);
	if (rc == 0)
		rc = read_pcr(object, "PCR2", pcrs->pcr2, &error);
	if (rc == 0 && jval_get(object, "PCR8") != NULL) {
		rc = read_pcr(object, "PCR8", pcrs->pcr8, &error);
		pcrs->has_pcr8 = rc == 0;
	}
	if (rc != 0) {
		refuse(reader, "%s%s", where, error.text);
		*pcrs = (struct pcrs){0};
		return;
	}
	if (pcrs_any_zero(pcrs)) {
		refuse(reader,
		       "%sPCR0, PCR1 or PCR2 is zero: the enclave was started in debug mode",
		       where);
		return;
	}
	reader->out->value = pcrs_value(pcrs);
}

/* A hash that is stated beside the PCRs must be the one they give. */
static void check_stated(struct reader *reader, const struct jval *object, const char *key)
{
	char found[HASH32_TEXT_SIZE], expected[HASH32_TEXT_SIZE];
	const struct jval *member = jval_get(object, key);
	const char *text = jval_string(member);
	struct hash32 stated;
	struct error error;

	if (member == NULL || reader->out->refused)
		return;
	if (text == NULL)
		refuse(reader, "%s: expected a string of 64 hex digits", key);
	else if (hash32_parse(&stated, text, &error) != 0)
		refuse(reader, "%s: %s", key, error.text);
	else if (!hash32_equal(&stated, &reader->out->value))
		refuse(reader, "%s: %s, but PCR0, PCR1 and PCR2 give %s", key,
		       hash32_text(found, &stated), hash32_text(expected, &reader->out->value));
}

/* --- details -----------------------------------------------------------------------------------
 */

static void add_texts(struct reader *reader, struct jval *details, const struct jval *object,
                      const char *const (*pairs)[2], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *text = jval_get_string(object, pairs[i][0]);
		if (text != NULL)
			jval_add_string(details, pairs[i][1],
			                arena_printf(reader->arena, "%.*s", MAX_TEXT, text));
	}
}

static void write_details(struct reader *reader, const struct jval *object)
{
	static const char *const top[][2] = {
	        {"app_id", "app_id"},
	        {"kms_url", "kms_url"},
	        {"dstack_version", "dstack_version"},
	        {"dstack_commit", "dstack_commit"},
	        {"git_sha", "git_sha"},
	        {"built_at", "built_at"},
	        {"ImageName", "image_name"},
	        {"ImageVersion", "image_version"},
	        {"EnclaveName", "enclave_name"},
	        {"EnclaveID", "enclave_id"},
	        {"State", "enclave_state"},
	};
	static const char *const metadata[][2] = {
	        {"BuildTime", "build_time"},
	        {"BuildTool", "build_tool"},
	};
	struct jval *details = jval_object();
	struct buf text = {0};

	if (!hash32_is_zero(&reader->out->value))
		pcrs_add(details, &reader->out->pcrs);
	add_texts(reader, details, object, top, ARRAY_LEN(top));
	add_texts(reader, details, jval_get(object, "Metadata"), metadata, ARRAY_LEN(metadata));
	jval_write(&text, details, JVAL_COMPACT);
	reader->out->details = arena_text(reader->arena, buf_bytes(&text));
	buf_free(&text);
	jval_free(details);
}

/* --- the shapes --------------------------------------------------------------------------------
 */

static void read_template(struct reader *reader, const struct jval *object)
{
	reader->out->format = FORMAT_MEASUREMENTS;
	read_pcrs(reader, object, "");
	check_stated(reader, object, "code_hash");
	check_stated(reader, object, "os_image_hash");
	write_details(reader, object);
}

static bool is_description(const struct jval *object)
{
	return jval_get(object, "EifVersion") != NULL || jval_get(object, "CheckCRC") != NULL ||
	       jval_get(object, "IsSigned") != NULL;
}

static void check_verdict(struct reader *reader, const struct jval *object, const char *key)
{
	const struct jval *member = jval_get(object, key);

	if (member != NULL && !jval_is_true(member))
		refuse(reader, "%s: nitro-cli found the image %s, expected true", key,
		       jval_is_false(member) ? "false" : "in an unknown state");
}

static void read_cli(struct reader *reader, const struct jval *object)
{
	const char *flags = jval_get_string(object, "Flags");

	reader->out->format = jval_get(object, "EnclaveID") != NULL ? FORMAT_NITRO_ENCLAVES
	                      : is_description(object)              ? FORMAT_NITRO_DESCRIBE
	                                                            : FORMAT_NITRO_BUILD;
	check_verdict(reader, object, "CheckCRC");
	check_verdict(reader, object, "SignatureCheck");
	/* The PCRs shown are the file's; the hardware of a debug enclave attests zeros. */
	if (flags != NULL && strstr(flags, "DEBUG_MODE") != NULL)
		refuse(reader,
		       "Flags: DEBUG_MODE: the enclave runs in debug mode, its PCRs are zero");
	read_pcrs(reader, jval_get(object, "Measurements"), "Measurements.");
	write_details(reader, object);
}

static bool is_cli(const struct jval *object)
{
	const struct jval *measurements = jval_get(object, "Measurements");

	return has_pcr(measurements) || jval_get(measurements, "HashAlgorithm") != NULL;
}

static void read_object(struct reader *reader, const struct jval *object)
{
	if (is_cli(object))
		read_cli(reader, object);
	else if (has_pcr(object) || named_measurements(reader->name))
		read_template(reader, object);
}

/* One artifact has one outcome: what came later must say the same. */
static void merge(struct reader *reader, const struct measured *next)
{
	char first[HASH32_TEXT_SIZE], second[HASH32_TEXT_SIZE];
	struct measured *out = reader->out;

	if (next->format == FORMAT_UNKNOWN)
		return;
	if (out->format == FORMAT_UNKNOWN || (next->refused && !out->refused)) {
		*out = *next;
		return;
	}
	if (!next->refused && !out->refused && !hash32_equal(&next->value, &out->value))
		refuse(reader, "it holds two measurements, %s and %s",
		       hash32_text(first, &out->value), hash32_text(second, &next->value));
}

static void read_one(struct reader *reader, const struct jval *object)
{
	struct measured one = {.level = LEVEL_CLAIMED};
	struct reader inner = {.arena = reader->arena, .name = reader->name, .out = &one};

	read_object(&inner, object);
	merge(reader, &one);
}

static void read_value(struct reader *reader, const struct jval *value)
{
	if (jval_is_object(value))
		read_one(reader, value);
	/* describe-enclaves: one member per enclave, old versions without measurements. */
	for (size_t i = 0; jval_is_array(value) && i < jval_count(value); i++)
		if (is_cli(jval_at(value, i)))
			read_one(reader, jval_at(value, i));
}

/* --- finding JSON in a log ---------------------------------------------------------------------
 */

static bool contains(struct bytes text, const char *what)
{
	return memmem(text.data, text.len, what, strlen(what)) != NULL;
}

/* The length of the JSON value that starts at text, or 0 when it never closes. */
static size_t json_extent(struct bytes text)
{
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if ((c == '}' || c == ']') && --depth == 0) {
			return i + 1;
		}
	}
	return 0;
}

/* Where the next line begins with an opening bracket, from text's first byte on. */
static struct bytes next_candidate(struct bytes text)
{
	bool line_start = true;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		if (line_start && (c == '{' || c == '['))
			return bytes_of(text.data + i, text.len - i);
		if (c == '\n' || c == '\r')
			line_start = true;
		else if (c != ' ' && c != '\t')
			line_start = false;
	}
	return bytes_of(NULL, 0);
}

static void read_log(struct reader *reader, struct bytes text)
{
	struct bytes rest = next_candidate(text);

	for (int i = 0; rest.len > 0 && i < MAX_CANDIDATES; i++) {
		struct jval *value = NULL;
		struct error error;
		size_t extent = json_extent(rest);
		struct bytes candidate = bytes_of(rest.data, extent > 0 ? extent : rest.len);

		if (jval_parse(&value, candidate, &error) == 0) {
			read_value(reader, value);
			jval_free(value);
		} else if (contains(candidate, "\"PCR0\"") &&
		           reader->out->format == FORMAT_UNKNOWN) {
			reader->out->format = FORMAT_NITRO_BUILD;
			refuse(reader, "%s", extent > 0 ? error.text : "the JSON is cut off");
		} else {
			extent = 1; /* a line like "[build] ..." */
		}
		if (extent == 0)
			return;
		rest = next_candidate(bytes_of(rest.data + extent, rest.len - extent));
	}
}

void nitro_read(struct arena *arena, struct bytes text, const char *name, struct measured *out)
{
	struct reader reader = {.arena = arena, .name = name, .out = out};
	struct jval *value;
	struct error error;

	*out = (struct measured){.level = LEVEL_CLAIMED};
	if (text.len > NITRO_MAX_TEXT || (!contains(text, "\"PCR") && !named_measurements(name)))
		return;
	if (jval_parse(&value, text, &error) == 0) {
		read_value(&reader, value);
		jval_free(value);
		return;
	}
	read_log(&reader, text);
	if (out->format == FORMAT_UNKNOWN && named_measurements(name)) {
		out->format = FORMAT_MEASUREMENTS;
		refuse(&reader, "%s", error.text);
	}
}
