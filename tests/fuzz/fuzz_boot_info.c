/* Boot information of a file, and what a contract answers about it: what is read is, written again,
 * the same question. */
#include "common/governance/boot_info.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void check_again(struct arena *arena, const struct boot_info *info)
{
	struct jval *json = boot_info_json(info);
	struct boot_info again;
	struct buf one = {0}, two = {0};

	PROPERTY(boot_info_read(&again, arena, json, NULL) == 0);
	PROPERTY(again.missing == info->missing);
	boot_encode(&one, BOOT_ROLE_APP, info);
	boot_encode(&two, BOOT_ROLE_APP, &again);
	PROPERTY(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
	jval_free(json);
	buf_free(&one);
	buf_free(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	struct boot_info info;
	struct jval *value;
	const char *reason;
	bool allowed;

	if (boot_info_parse(&info, &arena, bytes_of(data, size), NULL) == 0) {
		PROPERTY((info.missing & ~(unsigned)BOOT_ADVISORY_IDS) == 0);
		check_again(&arena, &info);
	}
	if (jval_parse(&value, bytes_of(data, size), NULL) == 0) {
		if (boot_info_read(&info, &arena, value, NULL) == 0)
			check_again(&arena, &info);
		jval_free(value);
	}
	if (boot_decode(&allowed, &reason, &arena, bytes_of(data, size)) != 0)
		PROPERTY(!allowed && reason[0] == '\0');
	else
		PROPERTY(size >= 64);
	arena_free(&arena);
	return 0;
}
