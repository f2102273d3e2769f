#include "common/crypto/keyfile.h"
#include "common/crypto/hash.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define FOLDER "tests/fixtures/keyfile/"

static const char web3_key[] = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
static const char anvil1_key[] = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";

static struct arena arena;
static struct error error;
static const struct bytes no_password;

static void assert_key(struct secret *key, const char *want)
{
	char text[65];

	assert_int_equal(key->len, KEYFILE_KEY_SIZE);
	assert_string_equal(hex_encode(text, bytes_of(key->data, key->len)), want);
	secret_free(key);
	assert_null(key->data);
}

static void the_pbkdf2_keystore_of_the_specification_opens(void **state)
{
	struct secret key;

	(void)state;
	assert_int_equal(keyfile_read(&key, fixture_bytes(&arena, FOLDER "web3_pbkdf2.json"),
	                              bytes_text("testpassword"), &error),
	                 0);
	assert_key(&key, web3_key);
}

/* RFC 7914 wants n < 2^(16*r); the specification's own example has n 2^18 and r 1. */
static void scrypt_outside_its_rfc_is_refused(void **state)
{
	struct secret key;

	(void)state;
	assert_int_equal(keyfile_read(&key, fixture_bytes(&arena, FOLDER "web3_scrypt.json"),
	                              bytes_text("testpassword"), &error),
	                 ERR_INVALID);
	assert_non_null(strstr(error.text, "scrypt"));
	assert_null(key.data);
}

static struct bytes generated(void)
{
	return fixture_bytes(&arena, FOLDER "generated_scrypt.json");
}

static struct bytes generated_password(void)
{
	return fixture_bytes(&arena, FOLDER "generated_scrypt.password");
}

static void a_keystore_of_another_program_opens(void **state)
{
	struct bytes password = generated_password();
	struct secret key;

	(void)state;
	assert_int_equal(password.data[password.len - 1], '\n');
	assert_int_equal(keyfile_read(&key, generated(), password, &error), 0);
	assert_key(&key, anvil1_key);
	password.len--;
	assert_int_equal(keyfile_read(&key, generated(), password, &error), 0);
	assert_key(&key, anvil1_key);
}

static void a_wrong_or_missing_password_is_denied(void **state)
{
	struct secret key;

	(void)state;
	assert_int_equal(keyfile_read(&key, generated(), bytes_text("testpassword"), &error),
	                 ERR_DENIED);
	assert_non_null(strstr(error.text, "password is wrong"));
	assert_null(key.data);
	assert_int_equal(keyfile_read(&key, generated(), bytes_text(""), &error), ERR_DENIED);
	assert_int_equal(keyfile_read(&key, generated(), no_password, &error), ERR_DENIED);
	assert_non_null(strstr(error.text, "needs a password file"));
}

static void one_line_of_hex_is_a_key(void **state)
{
	static const struct {
		const char *before, *after;
	} forms[] = {{"0x", ""}, {"0x", "\n"}, {"", "\r\n"}, {" \t0x", "\n\n"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct secret key;
		const char *text =
		        arena_printf(&arena, "%s%s%s", forms[i].before, anvil1_key, forms[i].after);
		assert_int_equal(keyfile_read(&key, bytes_text(text), no_password, &error), 0);
		assert_key(&key, anvil1_key);
	}
}

static void what_is_no_key_is_refused_without_being_quoted(void **state)
{
	static const char *const bad[] = {
	        "",
	        "\n",
	        "0x",
	        "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690",
	        "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690dd",
	        "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690g",
	        "0x0000000000000000000000000000000000000000000000000000000000000000",
	        "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	        "-----BEGIN EC PRIVATE KEY-----",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct secret key;
		assert_int_equal(keyfile_read(&key, bytes_text(bad[i]), no_password, &error),
		                 ERR_INVALID);
		assert_null(key.data);
		assert_null(strstr(error.text, "59c6"));
	}
	struct secret key;
	assert_int_equal(keyfile_read(&key, bytes_text(anvil1_key), bytes_text("x"), &error),
	                 ERR_DENIED);
}

/* The generated keystore with one piece of text replaced. */
static int read_changed(const char *from, const char *to)
{
	struct bytes content = generated();
	struct buf text = {0};
	struct secret key;
	const char *at = strstr((const char *)content.data, from);

	assert_non_null(at);
	buf_append(&text, content.data, (size_t)(at - (const char *)content.data));
	buf_append_text(&text, to);
	buf_append_text(&text, at + strlen(from));
	int rc = keyfile_read(&key, buf_bytes(&text), generated_password(), &error);
	secret_free(&key);
	buf_free(&text);
	return rc;
}

static void a_broken_keystore_names_the_field(void **state)
{
	static const struct {
		const char *from, *to;
		int rc;
		const char *field;
	} cases[] = {
	        {"\"version\": 3", "\"version\": 4", ERR_INVALID, "version"},
	        {"aes-128-ctr", "aes-128-cbc", ERR_INVALID, "crypto.cipher"},
	        {"\"iv\"", "\"vi\"", ERR_INVALID, "iv"},
	        {"\"ciphertext\": \"", "\"ciphertext\": \"00", ERR_INVALID, "ciphertext"},
	        {"\"mac\": \"", "\"mac\": \"00", ERR_INVALID, "mac"},
	        {"\"salt\": \"", "\"salt\": \"0", ERR_INVALID, "salt"},
	        {"\"dklen\": 32", "\"dklen\": 16", ERR_INVALID, "dklen"},
	        {"\"kdf\": \"scrypt\"", "\"kdf\": \"argon2id\"", ERR_INVALID, "crypto.kdf"},
	        {"\"kdf\": \"scrypt\"", "\"kdf\": \"pbkdf2\"", ERR_INVALID, "prf"},
	        {"\"n\": 4096", "\"n\": 4095", ERR_INVALID, "scrypt"},
	        {"\"n\": 4096", "\"n\": 1", ERR_INVALID, "scrypt"},
	        {"\"n\": 4096", "\"n\": -4096", ERR_INVALID, "scrypt"},
	        {"\"n\": 4096", "\"n\": 1048576", ERR_LIMIT, "scrypt"},
	        {"\"p\": 2", "\"p\": 1024", ERR_LIMIT, "scrypt"},
	        {"\"r\": 8", "\"r\": 0", ERR_INVALID, "scrypt"},
	        {"\"r\": 8", "\"R\": 8", ERR_INVALID, "lacks n, r or p"},
	        {"70997970", "70997971", ERR_INVALID, "address"},
	        {"\"crypto\"", "\"Krypto\"", ERR_INVALID, "crypto.cipher"},
	        {"}\n", "", ERR_INVALID, "not valid JSON"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(read_changed(cases[i].from, cases[i].to), cases[i].rc);
		assert_non_null(strstr(error.text, cases[i].field));
	}
	assert_int_equal(read_changed("\"crypto\"", "\"Crypto\""), 0);
	assert_int_equal(read_changed("70997970c51812dc3a010c7d01b50e0d17dc79c8",
	                              "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
	                 0);
}

static void a_secret_is_empty_in_a_child(void **state)
{
	struct secret secret;
	int status;

	(void)state;
	assert_int_equal(secret_new(&secret, 32, &error), 0);
	secret.data[31] = 7;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(secret.data[31]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(secret.data[31], 7);
	secret_free(&secret);
	secret_free(&secret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_pbkdf2_keystore_of_the_specification_opens),
	        cmocka_unit_test(scrypt_outside_its_rfc_is_refused),
	        cmocka_unit_test(a_keystore_of_another_program_opens),
	        cmocka_unit_test(a_wrong_or_missing_password_is_denied),
	        cmocka_unit_test(one_line_of_hex_is_a_key),
	        cmocka_unit_test(what_is_no_key_is_refused_without_being_quoted),
	        cmocka_unit_test(a_broken_keystore_names_the_field),
	        cmocka_unit_test(a_secret_is_empty_in_a_child),
	};
	crypto_init();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&arena);
	return failed;
}
