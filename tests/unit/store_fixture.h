/* A store in a folder of its own, with a target in it, and short ways to fill it. */
#ifndef UNIT_STORE_FIXTURE_H
#define UNIT_STORE_FIXTURE_H

#include "common/store/store_build.h"
#include "common/store/store_chain.h"
#include "common/store/store_event.h"
#include "common/store/store_safe_tx.h"

struct store_fixture {
	char folder[64], path[96];
	struct store *store;
	struct arena arena;
	struct error error;
	int64_t now;
};

#define STORE_FIXTURE_CHAIN 8453
#define STORE_FIXTURE_START 1767225600000 /* 2026-01-01T00:00:00Z */

/* cmocka setup and teardown; *state is the fixture. The target "payments" exists. */
int store_fixture_setup(void **state);
int store_fixture_teardown(void **state);

void store_fixture_reopen(struct store_fixture *f);
/* Lets ms pass for what the store writes. */
void store_fixture_pass(struct store_fixture *f, int64_t ms);
/* Runs SQL on the closed database file as any other program could; "" or SQLite's message. */
const char *store_fixture_sql(struct store_fixture *f, const char *sql);
/* The same, and the first column of the first row. */
int64_t store_fixture_number(struct store_fixture *f, const char *sql);

struct hash32 store_fixture_hash(unsigned n);
struct address store_fixture_address(unsigned n);

/* In a transaction of their own: record value n as os-image; a drafted proposal with one call for
 * it, which serves it. */
struct measurement_id store_fixture_record(struct store_fixture *f, unsigned n);
struct proposal_id store_fixture_propose(struct store_fixture *f, enum action action, unsigned n,
                                         struct measurement_id id);
/* A call whose calldata lives in the fixture's arena. */
struct call store_fixture_call(struct store_fixture *f, enum action action, unsigned n);
/* Moves along the whole way, in a transaction of its own; fails the test when refused. */
void store_fixture_move(struct store_fixture *f, struct proposal_id id, enum proposal_state from,
                        enum proposal_state to, const char *reason);
struct measurement store_fixture_measurement(struct store_fixture *f, struct measurement_id id);
/* "type subject: text" of the newest event. */
const char *store_fixture_last_event(struct store_fixture *f);

#endif
