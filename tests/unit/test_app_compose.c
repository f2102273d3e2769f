#include "common/measure/app_compose.h"

#include "common/crypto/hash.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct app_compose load(struct arena *arena, const char *name)
{
	struct app_compose compose;
	char *path = arena_printf(arena, "tests/fixtures/tdx/%s.app-compose.json", name);

	assert_int_equal(app_compose_read(arena, fixture_bytes(arena, path), &compose, NULL), 0);
	return compose;
}

static void assert_hash(const struct hash32 *hash, const char *hex)
{
	struct hash32 want;

	assert_int_equal(hash32_parse(&want, hex, NULL), 0);
	assert_true(hash32_equal(hash, &want));
}

static void real_files_have_their_hashes(void **state)
{
	static const struct {
		const char *name, *hash, *title;
		size_t images, unpinned;
	} cases[] = {
	        {"examples-rtmr3",
	         "06768e6df639ce3be65e9e5321f8b2d82dbffb01c74323462d34c2feb9653aff", "kvin-nb1", 1,
	         1},
	        {"mpc", "2911e1f733466216dedb862d6d669e11256ee7a34ce4dbc66c4b807ba7a9c895",
	         "mpc-localnet-one-node-1786619449", 2, 0},
	        {"sim-v0.5.0", "1255573f4c11fd50907d3f1a497f58a0e22b3774c370a92fd762af48d7e7d802",
	         "kvin-nb", 1, 1},
	        {"simulator", "65b4e574f16973956908b6359920593c3b7d9f36f38e81a47f996a0c0d5435bb",
	         "guest-agent", 2, 2},
	};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct app_compose compose = load(&arena, cases[i].name);
		assert_hash(&compose.hash, cases[i].hash);
		assert_string_equal(compose.name, cases[i].title);
		assert_string_equal(compose.runner, "docker-compose");
		assert_int_equal(compose.event_log_version, 1);
		assert_true(compose.public_tcbinfo);
		assert_true(compose.has_compose_file);
		assert_int_equal(compose.images.count, cases[i].images);
		assert_int_equal(compose.images.unpinned, cases[i].unpinned);
	}
	struct app_compose simulator = load(&arena, "simulator");
	assert_string_equal(simulator.images.items[0].reference, "ubuntu");
	assert_int_equal(simulator.images.items[0].line, 3);
	assert_string_equal(simulator.images.items[1].reference, "dstacktee/dstack-verifier:0.5.4");
	arena_free(&arena);
}

static void only_the_exact_bytes_count(void **state)
{
	struct arena arena = {0};
	struct jval *vectors = fixture_json("tests/fixtures/compose/sdk_vectors.json");
	static const char *const names[] = {"simple",  "nested",         "unicode",  "floats",
	                                    "intkeys", "surrogate_sort", "emptyname"};

	(void)state;
	assert_int_equal(jval_count(vectors), ARRAY_LEN(names));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct jval *vector = jval_get(vectors, names[i]);
		const char *input = fixture_string(vector, "input");
		struct app_compose compose;
		assert_int_equal(app_compose_read(&arena, bytes_text(input), &compose, NULL), 0);
		assert_hash(&compose.hash, fixture_string(vector, "input_sha256"));
		char *longer = arena_printf(&arena, "%s\n", input);
		assert_int_equal(app_compose_read(&arena, bytes_text(longer), &compose, NULL), 0);
		struct hash32 other = sha256(bytes_text(longer));
		assert_true(hash32_equal(&compose.hash, &other));
	}
	jval_free(vectors);
	arena_free(&arena);
}

static void what_is_no_app_compose_is_refused(void **state)
{
	static const char *const texts[] = {
	        "",
	        "[]",
	        "{}",
	        "{\"runner\":1}",
	        "{\"runner\":\"bash\",\"manifest_version\":\"2\"}",
	        "{\"runner\":\"bash\",\"event_log_version\":2.0}",
	        "{\"runner\":\"bash\",\"runner\":\"bash\"}",
	        "{\"runner\":\"bash\"} x",
	};
	struct arena arena = {0};
	struct app_compose compose;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(app_compose_read(&arena, bytes_text(texts[i]), &compose, NULL),
		                 ERR_INVALID);
	assert_int_equal(app_compose_read(&arena,
	                                  bytes_text("{\"runner\":\"bash\",\"event_log_version\":2,"
	                                             "\"public_tcbinfo\":false}"),
	                                  &compose, NULL),
	                 0);
	assert_int_equal(compose.event_log_version, 2);
	assert_false(compose.public_tcbinfo);
	assert_false(compose.has_compose_file);
	assert_null(compose.name);
	arena_free(&arena);
}

static void other_json_is_not_taken_for_one(void **state)
{
	static const struct {
		const char *text;
		bool is;
	} cases[] = {
	        {"{\"runner\":\"docker-compose\",\"manifest_version\":2}", true},
	        {"{\"runner\":\"docker-compose\",\"docker_compose_file\":\"\"}", true},
	        {"{\"runner\":\"docker-compose\"}", false},
	        {"{\"manifest_version\":2}", false},
	        {"[]", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct jval *document;
		assert_int_equal(jval_parse(&document, bytes_text(cases[i].text), NULL), 0);
		assert_int_equal(app_compose_is(document), cases[i].is);
		jval_free(document);
	}
}

/* --- images --- */

#define D "@sha256:5618a93a78c9ac9173e7ebf7c8af173bd675be6832a2f8c2a9a7149ac2678f54"

/* "line reference" of each, joined by spaces; ! in front of what is not pinned. */
static char *images_of(struct arena *arena, const char *yaml)
{
	struct compose_images images;
	char *text = arena_strdup(arena, "");

	compose_images_find(arena, bytes_text(yaml), &images);
	for (size_t i = 0; i < images.count; i++)
		text = arena_printf(arena, "%s%s%s%zu %s", text, i > 0 ? ", " : "",
		                    images.items[i].pinned ? "" : "!", images.items[i].line,
		                    images.items[i].reference);
	return text;
}

static void images_are_found_in_every_style(void **state)
{
	static const struct {
		const char *yaml, *found;
	} cases[] = {
	        {"", ""},
	        {"services:\n  a:\n    image: nginx\n", "!3 nginx"},
	        {"image: a" D, "1 a" D},
	        {"image: a:1" D " # comment\nimage: 'b' # c\n\"image\": \"c\"\r\n",
	         "1 a:1" D ", !2 b, !3 c"},
	        {"a: {image: nginx, x: y}\nb: {\"image\":\"c" D "\"}\n", "!1 nginx, 2 c" D},
	        {"{\"services\":{\"a\":{\"image\":\"b:1\"},\n\"c\":{\"image\":\"d\"}}}",
	         "!1 b:1, !2 d"},
	        {"- image: a\n-   image: b\n- - image: c\n", "!1 a, !2 b, !3 c"},
	        {"image:\n  a:1\nimage:\n\n  # which\n  'b" D "'\n", "!2 a:1, 6 b" D},
	        {"image: >-\n  a" D "\nx: 1\n", "2 a" D},
	        {"image: &one a:1\nimage: !!str b\nimage: *one\n", "!1 a:1, !2 b, !3 *one"},
	        {"image: localhost:5000/a" D "\n", "1 localhost:5000/a" D},
	        {"image : a\n", "!1 a"},
	};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(images_of(&arena, cases[i].yaml), cases[i].found);
	arena_free(&arena);
}

static void text_that_only_looks_like_one_is_passed_over(void **state)
{
	static const struct {
		const char *yaml, *found;
	} cases[] = {
	        {"# image: a\nx: y # image: b\n", ""},
	        {"images: a\nimage_name: b\nmy image: c\n", ""},
	        {"x: image: a\n", "!1 a"}, /* no YAML at all: shown rather than missed */
	        {"command: |\n  image: a\n\n   image: b\nimage: c\n", "!5 c"},
	        {"command:\n  - |\n    image: a\n  - >-2\n    image: b\nimage: c\n", "!6 c"},
	        {"  - run: |\n      image: a\n    image: c\n", "!3 c"},
	        {"command: \"x\n  image: a\n  y\"\nimage: c\n", "!4 c"},
	        {"command: 'it''s\n  image: a'\nimage: c\n", "!3 c"},
	        {"command: \"a \\\" image: b\"\n", ""},
	        {"image:\nx: y\n", ""},
	        {"image:\n  context: .\n", ""},
	        {"image: {a: b}\n", ""},
	        {"image: ''\n", ""},
	};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(images_of(&arena, cases[i].yaml), cases[i].found);
	arena_free(&arena);
}

static void only_a_whole_digest_pins(void **state)
{
	static const char *const unpinned[] = {
	        "a",
	        "a:latest",
	        "a@sha256:",
	        "a@sha256:5618a93a",
	        "a" D "0",
	        "a" D ".b",
	        "${X}" D,
	        "a${TAG}" D,
	        "${IMAGE:-a" D "}",
	        D,
	        "a@sha512:5618a93a78c9ac9173e7ebf7c8af173bd675be6832a2f8c2a9a7149ac2678f54",
	        "a@sha256:5618A93A78C9AC9173E7EBF7C8AF173BD675BE6832A2F8C2A9A7149AC2678F54",
	};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unpinned); i++) {
		struct compose_images images;
		char *yaml = arena_printf(&arena, "image: \"%s\"\n", unpinned[i]);
		compose_images_find(&arena, bytes_text(yaml), &images);
		assert_int_equal(images.count, 1);
		assert_int_equal(images.unpinned, 1);
		assert_string_equal(images.items[0].reference, unpinned[i]);
	}
	arena_free(&arena);
}

static void damaged_files_are_read_within_bounds(void **state)
{
	struct arena arena = {0};
	struct bytes file = fixture_bytes(&arena, "tests/fixtures/tdx/mpc.app-compose.json");
	static const char marks[] = "\"'{}[],:#|>-&!\n \t\\";

	(void)state;
	for (size_t i = 0; i < file.len; i++) {
		struct arena scratch = {0};
		struct compose_images images;
		uint8_t *bytes = arena_alloc(&scratch, file.len);
		memcpy(bytes, file.data, file.len);
		bytes[i] = (uint8_t)marks[i % (sizeof(marks) - 1)];
		compose_images_find(&scratch, bytes_of(bytes, file.len), &images);
		compose_images_find(&scratch, bytes_of(bytes, i), &images);
		arena_free(&scratch);
	}
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(real_files_have_their_hashes),
	        cmocka_unit_test(only_the_exact_bytes_count),
	        cmocka_unit_test(what_is_no_app_compose_is_refused),
	        cmocka_unit_test(other_json_is_not_taken_for_one),
	        cmocka_unit_test(images_are_found_in_every_style),
	        cmocka_unit_test(text_that_only_looks_like_one_is_passed_over),
	        cmocka_unit_test(only_a_whole_digest_pins),
	        cmocka_unit_test(damaged_files_are_read_within_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
