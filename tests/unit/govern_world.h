/* A whole daemon/govern for a test: a store, a configuration with one target, a node whose
 * contracts answer from a table, and the Safe's service. Everything is right until a test changes
 * it. */
#ifndef UNIT_GOVERN_WORLD_H
#define UNIT_GOVERN_WORLD_H

#include "common/governance/views.h"
#include "daemon/govern/govern.h"
#include "tests/unit/node.h"
#include "tests/unit/scratch.h"

enum { WORLD_CHAIN = 8453, WORLD_DELAY = 3600 };

struct world_answer {
	struct address to;
	struct bytes data, returned;
	bool reverts;
};

struct govern_world {
	struct arena arena;
	struct error error;
	char folder[SCRATCH_PATH];
	const char *config_path, *watched;
	struct loop *loop;
	struct http *http;
	struct loop_timer *timeout, *pause;
	struct node node;
	struct world_answer answers[64];
	size_t answer_count;
	struct address kms, app, safe, timelock;
	struct address without_code; /* zero: none */
	struct address owners[3];
	struct hash32 guard;
	uint64_t balance;
	uint64_t call_gas; /* what eth_estimateGas answers; 0: the method does not exist */
	/* The service: bodies by path; NULL is 404. */
	struct httpd *service;
	bool service_hangs;
	int service_status;
	const char *safe_info, *delegates, *transaction;
	/* Answers what it knows; false: as usual. */
	bool (*serve)(const struct httpd_request *request, struct httpd_reply *reply, void *arg);
	void *serve_arg;
	unsigned service_requests, transaction_requests; /* of those: about one transaction */
	char service_path[160];                          /* of the last request */
	struct config *config;
	struct store *store;
	struct signer *signer;
	struct govern_parts parts;
	struct govern *govern;
};

/* cmocka setup and teardown; govern_world_start goes between them, once the test has changed what
 * it wants changed. A program that uses with_keys must be the signer when it is started with
 * --role=signer. */
int govern_world_setup(void **state);
int govern_world_teardown(void **state);

/* What YAML the target and the chain get beside their addresses, both may be "". */
struct world_options {
	const char *target, *chain;
	bool with_service;
	const char *spare_rpc;                   /* a second endpoint, or NULL */
	const char *proposer_key, *executor_key; /* hex, or NULL */
};
void govern_world_start(struct govern_world *w, const struct world_options *options);
/* Makes the configuration, the store and the signer, but no govern: for tests of single parts. */
void govern_world_prepare(struct govern_world *w, const struct world_options *options);

/* Changes what a contract answers. */
void world_says(struct govern_world *w, const struct address *to, struct bytes data,
                struct bytes returned);
void world_reverts(struct govern_world *w, const struct address *to, struct bytes data);
void world_view_number(struct govern_world *w, const struct address *to, enum view view,
                       uint64_t number);
void world_view_address(struct govern_world *w, const struct address *to, enum view view,
                        const struct address *address);
void world_role(struct govern_world *w, const struct hash32 *role, const struct address *account,
                bool has);
void world_two_steps(struct govern_world *w, const struct address *registry,
                     const struct address *owner, const struct address *pending);

/* Runs the loop until loop_stop; fails the test when that takes longer than ten seconds. */
void world_run(struct govern_world *w);
/* Runs it for so long, or until loop_stop. */
void world_run_for(struct govern_world *w, int64_t ms);

#endif
