/* The store under Landlock: SQLite must not want files where the daemon can open none. */
#include "daemon/sandbox/sandbox.h"
#include "tests/unit/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CALLS = 100, PROPOSALS = 10 };

/* The largest batches there are: more than SQLite keeps of a savepoint's journal before it looks
 * for a temporary file. */
static void large_batches_need_no_other_files(void **state)
{
	struct store_fixture *f = *state;
	struct sandbox_path allowed = {"/tmp", true}; /* where the fixture is */
	struct call calls[CALLS];

	setenv("SQLITE_TMPDIR", "/var/tmp", 1);
	int rc = sandbox_confine_files(&allowed, 1, &f->error);
	assert_true(rc == 0 || rc == ERR_UNAVAILABLE); /* an old kernel tests less */
	store_begin(f->store);
	for (unsigned n = 0; n < PROPOSALS * CALLS; n++) {
		calls[n % CALLS] = store_fixture_call(f, ACTION_ADD, n * 2654435761u);
		if (n % CALLS < CALLS - 1)
			continue;
		struct new_proposal proposal = {.target = "payments",
		                                .origin = "registrard",
		                                .chain_id = STORE_FIXTURE_CHAIN,
		                                .model = MODEL_SAFE_TIMELOCK,
		                                .safe = store_fixture_address(3),
		                                .timelock = store_fixture_address(4),
		                                .calls = calls,
		                                .call_count = CALLS};
		struct proposal_id id;
		assert_int_equal(store_proposal_create(f->store, &proposal, &id, &f->error), 0);
	}
	store_commit(f->store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(large_batches_need_no_other_files,
	                                        store_fixture_setup, store_fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
