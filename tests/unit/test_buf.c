/* The growable buffer. */
#include "common/base/buf.h"
#include "common/base/random.h"
#include "tests/unit/death.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void nothing_is_an_empty_buffer(void **state)
{
	struct buf buf = {0};

	(void)state;
	assert_string_equal(buf_text(&buf), "");
	assert_int_equal(buf_bytes(&buf).len, 0);
	buf_clear(&buf);
	buf_consume(&buf, 0);
	buf_append(&buf, NULL, 0);
	buf_append_bytes(&buf, bytes_of(NULL, 0));
	buf_append_zeros(&buf, 0);
	buf_append_text(&buf, "");
	buf_append_hex(&buf, bytes_of(NULL, 0));
	buf_printf(&buf, "%s", "");
	assert_int_equal(buf.len, 0);
	assert_string_equal(buf_text(&buf), "");
	buf_free(&buf);
	assert_null(buf.data);
	buf_free(&buf);
	buf_wipe(&buf);
}

static void everything_can_be_appended(void **state)
{
	struct buf buf = {0};

	(void)state;
	buf_append(&buf, "ab", 2);
	buf_append_bytes(&buf, bytes_text("cd"));
	buf_append_byte(&buf, 'e');
	buf_append_text(&buf, "fg");
	buf_append_hex(&buf, bytes_of("\x01\xfe", 2));
	buf_printf(&buf, "[%d %s]", 7, "x");
	assert_string_equal(buf_text(&buf), "abcdefg01fe[7 x]");
	assert_int_equal(buf.len, strlen("abcdefg01fe[7 x]"));
	buf_append_zeros(&buf, 3);
	assert_int_equal(buf.len, strlen("abcdefg01fe[7 x]") + 3);
	assert_memory_equal(buf.data + buf.len - 3, "\0\0\0", 4);
	buf_clear(&buf);
	assert_int_equal(buf.len, 0);
	assert_string_equal(buf_text(&buf), "");
	assert_true(buf.cap > 0);
	buf_free(&buf);
}

/* Against a plain array, with every operation at random: the content, and the NUL behind it. */
static void it_holds_what_a_plain_array_holds(void **state)
{
	static uint8_t model[1 << 20];
	uint8_t chunk[5000];
	struct buf buf = {0};
	size_t len = 0;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		size_t size = random_below(sizeof(chunk)) >> random_below(12);
		switch (random_below(5)) {
		case 0:
			if (len + size > sizeof(model))
				break;
			random_bytes(chunk, size);
			buf_append(&buf, chunk, size);
			memcpy(model + len, chunk, size);
			len += size;
			break;
		case 1:
			if (len + size > sizeof(model))
				break;
			buf_append_zeros(&buf, size);
			memset(model + len, 0, size);
			len += size;
			break;
		case 2:
			size = len > 0 ? random_below((uint32_t)len + 1) : 0;
			buf_consume(&buf, size);
			memmove(model, model + size, len - size);
			len -= size;
			break;
		case 3:
			buf_append_byte(&buf, (uint8_t)round);
			model[len++] = (uint8_t)round;
			break;
		case 4:
			if (random_below(50) == 0) {
				buf_clear(&buf);
				len = 0;
			}
			break;
		}
		assert_int_equal(buf.len, len);
		assert_true(bytes_equal(buf_bytes(&buf), bytes_of(model, len)));
		if (buf.data != NULL)
			assert_int_equal(buf.data[buf.len], 0);
		assert_true(buf.data == NULL || buf.cap > buf.len);
	}
	buf_free(&buf);
}

static void long_formats(void **state)
{
	struct buf buf = {0};

	(void)state;
	for (int width = 1; width < 3000; width += 13) {
		buf_clear(&buf);
		buf_printf(&buf, "%*d|", width, 5);
		assert_int_equal(buf.len, width + 1);
		assert_int_equal(buf.data[buf.len - 1], '|');
		assert_int_equal(buf.data[buf.len - 2], '5');
	}
	buf_free(&buf);
}

static void wiping_frees(void **state)
{
	struct buf buf = {0};

	(void)state;
	buf_append_text(&buf, "a secret");
	buf_wipe(&buf);
	assert_null(buf.data);
	assert_int_equal(buf.len, 0);
	assert_int_equal(buf.cap, 0);
}

static void consume_too_much(void *arg)
{
	struct buf buf = {0};

	(void)arg;
	buf_append_text(&buf, "abc");
	buf_consume(&buf, 4);
}

static void grow_too_much(void *arg)
{
	struct buf buf = {0};

	(void)arg;
	buf_append_text(&buf, "abc");
	buf_append_zeros(&buf, SIZE_MAX - 2);
}

static void misuse_aborts(void **state)
{
	(void)state;
	death_expect(consume_too_much, NULL, "consume 4 of 3 bytes");
	death_expect(grow_too_much, NULL, "cannot grow by");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(nothing_is_an_empty_buffer),
	        cmocka_unit_test(everything_can_be_appended),
	        cmocka_unit_test(it_holds_what_a_plain_array_holds),
	        cmocka_unit_test(long_formats),
	        cmocka_unit_test(wiping_frees),
	        cmocka_unit_test(misuse_aborts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
