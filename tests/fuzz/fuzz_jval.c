/* JSON, also as the control socket's requests and answers have it: what is accepted is, written in
 * any style, read as the same value. */
#include "common/base/jval.h"
#include "tests/fuzz/fuzz.h"

static void check_style(const struct jval *value, enum jval_style style)
{
	struct buf text = {0}, again = {0};
	struct jval *second;

	jval_write(&text, value, style);
	PROPERTY(jval_parse(&second, buf_bytes(&text), NULL) == 0);
	jval_write(&again, second, style);
	PROPERTY(bytes_equal(buf_bytes(&text), buf_bytes(&again)));
	again.len = text.len = 0;
	jval_write(&text, value, JVAL_SORTED);
	jval_write(&again, second, JVAL_SORTED);
	PROPERTY(bytes_equal(buf_bytes(&text), buf_bytes(&again)));
	jval_free(second);
	buf_free(&text);
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jval *value;

	if (jval_parse(&value, bytes_of(data, size), NULL) != 0) {
		PROPERTY(value == NULL);
		return 0;
	}
	check_style(value, JVAL_COMPACT);
	check_style(value, JVAL_SORTED);
	check_style(value, JVAL_INDENTED);
	struct jval *copy = jval_copy(value);
	jval_free(value);
	check_style(copy, JVAL_COMPACT);
	jval_free(copy);
	return 0;
}
