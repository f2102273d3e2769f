/* Small texts: hex, addresses, 256-bit numbers, durations, names. What is accepted is, printed,
 * read as the same; and a printed value is the only spelling that prints as itself. */
#include "common/base/clock.h"
#include "common/eth/address.h"
#include "common/governance/multisend.h"
#include "common/measure/measurement.h"
#include "tests/fuzz/fuzz.h"

static void check_hex(const char *text, size_t len)
{
	uint8_t raw[64], again[64];
	char printed[2 * sizeof(raw) + 1];
	struct hash32 hash;
	bool prefixed = strncmp(text, "0x", 2) == 0 || strncmp(text, "0X", 2) == 0;
	size_t size = (len - (prefixed ? 2 : 0)) / 2;

	if (size <= sizeof(raw) && hex_decode(raw, size, text, NULL) == 0) {
		hex_encode(printed, bytes_of(raw, size));
		PROPERTY(strcasecmp(printed, text + (prefixed ? 2 : 0)) == 0);
		PROPERTY(hex_decode(again, size, printed, NULL) == 0);
		PROPERTY(memcmp(raw, again, size) == 0);
		PROPERTY((hash32_parse(&hash, text, NULL) == 0) == (size == sizeof(hash.b)));
	} else {
		PROPERTY(hash32_parse(&hash, text, NULL) != 0 && hash32_is_zero(&hash));
	}
}

static void check_address(const char *text)
{
	char printed[ADDRESS_TEXT_SIZE], lower[ADDRESS_TEXT_SIZE];
	struct address address, again;

	if (address_parse(&address, text, NULL) != 0) {
		PROPERTY(address_is_zero(&address));
		return;
	}
	address_text(printed, &address);
	PROPERTY(strcasecmp(printed, text) == 0);
	PROPERTY(address_parse(&again, printed, NULL) == 0 && address_equal(&address, &again));
	address_lower(lower, &address);
	PROPERTY(address_parse(&again, lower, NULL) == 0 && address_equal(&address, &again));
	/* Mixed case is right or refused. */
	if (strpbrk(text + 2, "abcdef") != NULL && strpbrk(text + 2, "ABCDEF") != NULL)
		PROPERTY(strcmp(printed, text) == 0);
}

static void check_number(const char *text)
{
	char printed[U256_TEXT_SIZE];
	struct u256 value, again;
	uint64_t narrow;

	if (u256_parse(&value, text, NULL) != 0) {
		PROPERTY(u256_is_zero(&value));
		return;
	}
	u256_decimal(printed, &value);
	PROPERTY(u256_parse(&again, printed, NULL) == 0 && u256_compare(&value, &again) == 0);
	if (u256_to_u64(&narrow, &value) == 0) {
		again = u256_from(narrow);
		PROPERTY(u256_compare(&value, &again) == 0);
	}
}

static void check_duration(const char *text)
{
	char printed[WALL_TEXT_SIZE];
	int64_t ms, again;

	if (duration_parse(&ms, text, NULL) != 0) {
		PROPERTY(ms == 0);
		return;
	}
	PROPERTY(ms >= 0);
	duration_text(printed, ms);
	PROPERTY(duration_parse(&again, printed, NULL) == 0 && again == ms);
}

static void check_names(const char *text)
{
	enum kind kind;
	enum safe_version version;

	if (kind_parse(&kind, text, NULL) == 0)
		PROPERTY(strcmp(kind_name(kind), text) == 0);
	if (safe_version_parse(&version, text, NULL) == 0)
		PROPERTY(strncmp(safe_version_text(version), text, 5) == 0);
}

/* Times that chains give, which may be any number. */
static void check_time(struct bytes input)
{
	char text[WALL_TEXT_SIZE];
	uint8_t raw[8];

	fuzz_fill(&input, raw, sizeof(raw));
	PROPERTY(strlen(wall_text_seconds(text, be64_get(raw))) > 1);
	PROPERTY(strlen(wall_text(text, (struct wall){(int64_t)be64_get(raw)})) > 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	const char *text = arena_text(&arena, bytes_of(data, size));

	check_hex(text, strlen(text));
	check_address(text);
	check_number(text);
	check_duration(text);
	check_names(text);
	check_time(bytes_of(data, size));
	arena_free(&arena);
	return 0;
}
