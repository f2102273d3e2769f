/* The Transaction Builder's checksum: of the value, not of the text, so neither the order of keys
 * nor spaces change it, and neither does the name of the batch or a checksum that stands there
 * already. */
#include "common/governance/txbuilder.h"
#include "tests/fuzz/fuzz.h"

static struct hash32 checksum_of(struct bytes text)
{
	struct jval *file;

	PROPERTY(jval_parse(&file, text, NULL) == 0);
	struct hash32 checksum = txbuilder_checksum(file);
	jval_free(file);
	return checksum;
}

static void check_written(const struct jval *file, enum jval_style style,
                          const struct hash32 *expected)
{
	struct buf text = {0};

	jval_write(&text, file, style);
	struct hash32 again = checksum_of(buf_bytes(&text));
	PROPERTY(hash32_equal(&again, expected));
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jval *file;

	if (jval_parse(&file, bytes_of(data, size), NULL) != 0)
		return 0;
	if (jval_is_object(file)) {
		struct hash32 checksum = txbuilder_checksum(file);
		check_written(file, JVAL_COMPACT, &checksum);
		check_written(file, JVAL_SORTED, &checksum);
		check_written(file, JVAL_INDENTED, &checksum);

		struct jval *meta = (struct jval *)jval_get(file, "meta");
		if (jval_is_object(meta) && jval_get(meta, "checksum") == NULL) {
			jval_add_hash32(meta, "checksum", &checksum);
			struct hash32 again = txbuilder_checksum(file);
			PROPERTY(hash32_equal(&again, &checksum));
		}
	}
	jval_free(file);
	return 0;
}
