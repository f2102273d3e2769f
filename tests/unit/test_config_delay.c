/* The configuration of a target behind a Delay module. */
#include "common/config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define KMS "0x1111111111111111111111111111111111111111"
#define SAFE "0x3333333333333333333333333333333333333333"
#define MODULE "0x5555555555555555555555555555555555555555"
#define ENQUEUER "0x6666666666666666666666666666666666666666"

/* The lines of the module begin in line 9. */
static int parse_delay(struct config **config, const char *lines, struct error *error)
{
	struct buf text = {0};

	buf_printf(&text,
	           "state_dir: /var/lib/lab\n"
	           "control_socket: /run/lab/control.sock\n"
	           "chains: {base: {chain_id: 8453, rpc: [http://a.example]}}\n"
	           "targets:\n"
	           "  payments:\n"
	           "    chain: base\n"
	           "    kms: " KMS "\n"
	           "    safe: " SAFE "\n"
	           "%s\n"
	           "    model: delay\n",
	           lines);
	int rc = config_parse(config, "lab.yaml", buf_bytes(&text), error);
	buf_free(&text);
	return rc;
}

static void test_delay(void **state)
{
	static const char written[] = "    delay: {address: " MODULE ", enqueuer: " ENQUEUER "}";
	struct config *config, *again;
	struct buf dump = {0};
	struct address address;
	struct error error;

	(void)state;
	if (parse_delay(&config, written, &error) != 0)
		fail_msg("%s", error.text);
	const struct config_target *target = &config->targets[0];
	/* The enqueuer's queue is used, the module keeps, the Safe acts. */
	assert_int_equal(address_parse(&address, ENQUEUER, NULL), 0);
	assert_true(target->has_safe && address_equal(&target->safe, &address));
	assert_int_equal(address_parse(&address, MODULE, NULL), 0);
	assert_true(target->has_timelock && address_equal(&target->timelock, &address));
	assert_int_equal(address_parse(&address, SAFE, NULL), 0);
	assert_true(address_equal(&target->avatar, &address));

	/* What is dumped reads as the same. */
	config_dump(&dump, config);
	assert_int_equal(config_parse(&again, "dump.yaml", buf_bytes(&dump), &error), 0);
	assert_true(address_equal(&again->targets[0].safe, &target->safe));
	assert_true(address_equal(&again->targets[0].avatar, &target->avatar));
	config_free(again);
	config_free(config);
	buf_free(&dump);
}

static void test_delay_refusals(void **state)
{
	static const struct {
		const char *lines, *error;
	} refused[] = {
	        {"", "lab.yaml:5: targets.payments.delay: missing; model delay needs"},
	        {"    delay: {address: " MODULE "}",
	         "lab.yaml:9: targets.payments.delay.enqueuer: missing; expected"},
	        {"    delay: {enqueuer: " ENQUEUER "}",
	         "lab.yaml:9: targets.payments.delay.address: missing; expected"},
	        {"    delay: {address: " MODULE ", enqueuer: " SAFE "}",
	         "lab.yaml:9: targets.payments.delay.enqueuer: is the same address as safe"},
	        {"    delay: {address: " KMS ", enqueuer: " ENQUEUER "}",
	         "lab.yaml:9: targets.payments.delay.address: is the same address as kms"},
	        {"    delay: {address: " MODULE ", enqueuer: " ENQUEUER
	         "}\n    scheduler_key_file: "
	         "/k",
	         "lab.yaml:10: targets.payments.scheduler_key_file: is of no use with model delay"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct config *config;
		struct error error;
		assert_int_equal(parse_delay(&config, refused[i].lines, &error), ERR_INVALID);
		if (strncmp(error.text, refused[i].error, strlen(refused[i].error)) != 0)
			fail_msg("   found: %s\nexpected: %s", error.text, refused[i].error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_delay),
	        cmocka_unit_test(test_delay_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
