/* JSON values: what is accepted, what is refused, and that every getter takes everything. */
#include "common/base/jval.h"
#include "common/base/random.h"
#include "tests/unit/death.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct jval *parse(const char *text)
{
	struct jval *value;
	struct error error = {0};

	if (jval_parse(&value, bytes_text(text), &error) != 0)
		fail_msg("%s: %s", text, error.text);
	return value;
}

static void assert_written(const struct jval *value, enum jval_style style, const char *expected)
{
	struct buf out = {0};

	jval_write(&out, value, style);
	assert_string_equal(buf_text(&out), expected);
	buf_free(&out);
}

static void one_value_of_any_type(void **state)
{
	static const struct {
		const char *text, *written;
	} cases[] = {
	        {"{}", "{}"},
	        {"[]", "[]"},
	        {" \"x\" ", "\"x\""},
	        {"null", "null"},
	        {"true", "true"},
	        {"-5", "-5"},
	        {"9223372036854775807", "9223372036854775807"},
	        {"-9223372036854775808", "-9223372036854775808"},
	        {"0.5", "0.5"},
	        {"{\"b\":[1,{\"c\":null}],\"a\":\"\\u00e9\\n\"}",
	         "{\"b\":[1,{\"c\":null}],\"a\":\"\xc3\xa9\\n\"}"},
	        {"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct jval *value = parse(cases[i].text);
		assert_written(value, JVAL_COMPACT, cases[i].written);
		jval_free(value);
	}
}

static void what_is_refused(void **state)
{
	static const struct {
		struct bytes text;
		int code;
	} cases[] = {
	        {{NULL, 0}, ERR_INVALID},
#define REFUSED(text) {{(const uint8_t *)text, sizeof(text) - 1}, ERR_INVALID}
	        REFUSED(" "),
	        REFUSED("{"),
	        REFUSED("[1,]"),
	        REFUSED("{\"a\":1,}"),
	        REFUSED("{a:1}"),
	        REFUSED("'a'"),
	        REFUSED("nul"),
	        REFUSED("NaN"),
	        REFUSED("01"),
	        REFUSED("+1"),
	        REFUSED("1e999"),
	        REFUSED("9223372036854775808"),
	        REFUSED("1 2"),
	        REFUSED("{} x"),
	        REFUSED("{}\0"),
	        REFUSED("\"a\0b\""),
	        REFUSED("\"a\\u0000b\""),
	        REFUSED("\"\x01\""),
	        REFUSED("\"\xff\""),
	        REFUSED("\"\xc3\""),
	        REFUSED("\"\xed\xa0\x80\""), /* a lone surrogate */
	        REFUSED("\"\\ud83d\""),
	        REFUSED("\xef\xbb\xbf{}"), /* a byte order mark */
	        REFUSED("{\"a\":1,\"a\":1}"),
	        REFUSED("{\"a\":{\"b\":1,\"b\":2}}"),
	        REFUSED("\"\\"),
	        REFUSED("]"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct jval *value = (struct jval *)&i;
		struct error error = {0};
		assert_int_equal(jval_parse(&value, cases[i].text, &error), cases[i].code);
		assert_null(value);
		assert_memory_equal(error.text, "not valid JSON at line ", 23);
	}
}

static int parse_nested(struct buf *text, const char *open, const char *close, size_t depth)
{
	struct jval *value;
	struct error error = {0};

	buf_clear(text);
	for (size_t i = 0; i < depth; i++)
		buf_append_text(text, open);
	buf_append_text(text, "1");
	for (size_t i = 0; i < depth; i++)
		buf_append_text(text, close);
	int rc = jval_parse(&value, buf_bytes(text), &error);
	jval_free(value);
	return rc;
}

static void nesting_is_bounded(void **state)
{
	struct buf text = {0};

	(void)state;
	assert_int_equal(parse_nested(&text, "[", "]", 64), 0);
	assert_int_equal(parse_nested(&text, "[", "]", 65), ERR_LIMIT);
	assert_int_equal(parse_nested(&text, "{\"a\":", "}", 64), 0);
	assert_int_equal(parse_nested(&text, "{\"a\":", "}", 65), ERR_LIMIT);
	assert_int_equal(parse_nested(&text, "[", "", 1000000), ERR_LIMIT);
	/* brackets in strings, also behind escaped quotes, are no nesting */
	assert_int_equal(parse_nested(&text, "[\"\\\"[[[\\\\\",", "]", 64), 0);
	/* and many side by side are none either */
	buf_clear(&text);
	buf_append_text(&text, "[");
	for (int i = 0; i < 1000; i++)
		buf_append_text(&text, "[{}],");
	buf_append_text(&text, "1]");
	struct jval *value;
	assert_int_equal(jval_parse(&value, buf_bytes(&text), NULL), 0);
	assert_int_equal(jval_count(value), 1001);
	jval_free(value);
	buf_free(&text);
}

static void getters_take_everything(void **state)
{
	static const char *const texts[] = {"{}",   "[]",    "\"x\"", "null",
	                                    "true", "false", "1",     "1.5"};
	int64_t number;

	(void)state;
	for (size_t i = 0; i <= ARRAY_LEN(texts); i++) {
		struct jval *value = i < ARRAY_LEN(texts) ? parse(texts[i]) : NULL;
		assert_int_equal(jval_is_object(value), i == 0);
		assert_int_equal(jval_is_array(value), i == 1);
		assert_int_equal(jval_is_string(value), i == 2);
		assert_int_equal(jval_is_null(value), i == 3);
		assert_int_equal(jval_is_true(value), i == 4);
		assert_int_equal(jval_is_false(value), i == 5);
		assert_int_equal(jval_is_int(value), i == 6);
		assert_null(jval_get(value, "a"));
		assert_null(jval_at(value, 0));
		assert_int_equal(jval_count(value), 0);
		assert_null(jval_get_string(value, "a"));
		if (i == 2)
			assert_string_equal(jval_string(value), "x");
		else
			assert_null(jval_string(value));
		number = 7;
		assert_int_equal(jval_get_int(value, "a", &number), ERR_INVALID);
		assert_true(number == 0);
		assert_int_equal(jval_each(value, NULL, NULL), 0);
		jval_free(value);
	}
}

static void getters_find(void **state)
{
	(void)state;
	struct jval *value =
	        parse("{\"s\":\"text\",\"n\":-7,\"r\":1.0,\"l\":[10,\"x\",{\"k\":null}]}");
	int64_t number;

	assert_string_equal(jval_get_string(value, "s"), "text");
	assert_null(jval_get_string(value, "n"));
	assert_int_equal(jval_get_int(value, "n", &number), 0);
	assert_true(number == -7);
	assert_int_equal(jval_get_int(value, "r", &number), ERR_INVALID);
	assert_int_equal(jval_get_int(value, "s", &number), ERR_INVALID);
	const struct jval *list = jval_get(value, "l");
	assert_int_equal(jval_count(list), 3);
	assert_string_equal(jval_string(jval_at(list, 1)), "x");
	assert_null(jval_at(list, 3));
	assert_null(jval_at(list, SIZE_MAX));
	assert_true(jval_is_null(jval_get(jval_at(list, 2), "k")));
	assert_null(jval_get(jval_get(jval_at(list, 7), "k"), "deeper"));
	assert_int_equal(jval_count(value), 4);
	jval_free(value);
}

static int note_key(const char *key, const struct jval *value, void *arg)
{
	buf_printf(arg, "%s=", key);
	jval_write(arg, value, JVAL_COMPACT);
	return strcmp(key, "stop") == 0 ? 42 : 0;
}

static void members_are_visited_in_order(void **state)
{
	(void)state;
	struct jval *value = parse("{\"z\":1,\"a\":2,\"m\":3}");
	struct buf seen = {0};

	assert_int_equal(jval_each(value, note_key, &seen), 0);
	assert_string_equal(buf_text(&seen), "z=1a=2m=3");
	jval_free(value);
	buf_clear(&seen);
	value = parse("{\"z\":1,\"stop\":2,\"m\":3}");
	assert_int_equal(jval_each(value, note_key, &seen), 42);
	assert_string_equal(buf_text(&seen), "z=1stop=2");
	jval_free(value);
	buf_free(&seen);
}

static void values_are_built_and_written(void **state)
{
	struct hash32 hash = {{0xab}};

	(void)state;
	struct jval *value = jval_object(), *list = jval_array();
	jval_add_string(value, "text", "a\"b");
	jval_add_string(value, "none", NULL);
	jval_add_printf(value, "made", "m%d", 12);
	jval_add_int(value, "int", INT64_MIN);
	jval_add_bool(value, "yes", true);
	jval_add_bool(value, "no", false);
	jval_add_hex(value, "hex", bytes_of("\x00\xff", 2));
	jval_add_hex(value, "empty", bytes_of(NULL, 0));
	jval_add_hash32(value, "hash", &hash);
	jval_add_hash32(value, "nohash", NULL);
	jval_push(list, jval_new_int(1));
	jval_push(list, jval_new_bool(false));
	jval_push(list, jval_new_null());
	jval_push(list, jval_new_string("x"));
	jval_add(value, "list", list);
	jval_add_int(value, "int", 5); /* a second time: replaced */
	static const char expected[] = "{\"text\":\"a\\\"b\",\"none\":null,\"made\":\"m12\","
	                               "\"int\":5,\"yes\":true,\"no\":false,"
	                               "\"hex\":\"0x00ff\",\"empty\":\"0x\",\"hash\":"
	                               "\"0xab00000000000000000000000000000000000000000000000000000"
	                               "000000000\",\"nohash\":null,"
	                               "\"list\":[1,false,null,\"x\"]}";
	assert_written(value, JVAL_COMPACT, expected);

	struct jval *copy = jval_copy(value);
	jval_add_int(value, "int", 6);
	jval_free(value);
	assert_written(copy, JVAL_COMPACT, expected);
	jval_free(copy);
	jval_free(NULL);
}

static void styles(void **state)
{
	(void)state;
	struct jval *value = parse("{\"b\":[1,2],\"a\":{\"d\":1,\"c\":2}}");

	assert_written(value, JVAL_COMPACT, "{\"b\":[1,2],\"a\":{\"d\":1,\"c\":2}}");
	assert_written(value, JVAL_SORTED, "{\"a\":{\"c\":2,\"d\":1},\"b\":[1,2]}");
	assert_written(value, JVAL_INDENTED,
	               "{\n  \"b\": [\n    1,\n    2\n  ],\n  \"a\": {\n    \"d\": 1,\n    \"c\": "
	               "2\n  }\n}");
	jval_free(value);
}

/* Text from outside that is no UTF-8 is shown, and never ends the program. */
static void any_text_becomes_a_string(void **state)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {{"plain", "plain"},
	             {"caf\xc3\xa9", "caf\xc3\xa9"},
	             {"bad\xff\xc3", "bad\\xff\\xc3"},
	             {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
	             {"", ""}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct jval *value = jval_new_string(cases[i].text);
		assert_string_equal(jval_string(value), cases[i].shown);
		jval_free(value);
	}
	struct jval *object = jval_object();
	jval_add_printf(object, "k", "%s", "\xfe");
	assert_string_equal(jval_get_string(object, "k"), "\\xfe");
	jval_free(object);
	object = jval_new_string(NULL);
	assert_true(jval_is_null(object));
	jval_free(object);
}

/* Flip bits of a valid text at random: refused, or something that reads back as it was written. */
static void damaged_text_is_refused_or_read_back(void **state)
{
	static const char valid[] =
	        "{\"pcr0\":\"ab\\u00e9\",\"n\":[1,-2,3.5,true,null],\"o\":{\"k\":{}}}";
	unsigned accepted = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		uint8_t text[sizeof(valid) - 1];
		memcpy(text, valid, sizeof(text));
		for (uint32_t flips = random_below(3) + 1; flips > 0; flips--)
			text[random_below(sizeof(text))] ^= (uint8_t)(1u << random_below(8));
		struct jval *value, *again;
		struct buf first = {0}, second = {0};
		if (jval_parse(&value, bytes_of(text, sizeof(text)), NULL) != 0) {
			assert_null(value);
			continue;
		}
		accepted++;
		jval_write(&first, value, JVAL_SORTED);
		assert_int_equal(jval_parse(&again, buf_bytes(&first), NULL), 0);
		jval_write(&second, again, JVAL_SORTED);
		assert_string_equal(buf_text(&first), buf_text(&second));
		jval_free(value);
		jval_free(again);
		buf_free(&first);
		buf_free(&second);
	}
	assert_true(accepted > 100);
}

static void write_nothing(void *arg)
{
	struct buf out = {0};

	jval_write(&out, arg, JVAL_COMPACT);
}

static void copy_nothing(void *arg)
{
	jval_free(jval_copy(arg));
}

static void misuse_aborts(void **state)
{
	(void)state;
	death_expect(write_nothing, NULL, "jansson could not write a value");
	death_expect(copy_nothing, NULL, "jansson could not make a value");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(one_value_of_any_type),
	        cmocka_unit_test(what_is_refused),
	        cmocka_unit_test(nesting_is_bounded),
	        cmocka_unit_test(getters_take_everything),
	        cmocka_unit_test(getters_find),
	        cmocka_unit_test(members_are_visited_in_order),
	        cmocka_unit_test(values_are_built_and_written),
	        cmocka_unit_test(styles),
	        cmocka_unit_test(any_text_becomes_a_string),
	        cmocka_unit_test(damaged_text_is_refused_or_read_back),
	        cmocka_unit_test(misuse_aborts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
