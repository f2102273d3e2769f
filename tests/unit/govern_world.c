#include "tests/unit/govern_world.h"

#include "common/eth/abi.h"
#include "common/eth/jsonrpc.h"
#include "common/eth/multicall.h"
#include "common/governance/timelock.h"
#include "daemon/govern/reads.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* --- contracts -------------------------------------------------------------------------------- */

static struct world_answer *answer_of(struct govern_world *w, const struct address *to,
                                      struct bytes data)
{
	for (size_t i = 0; i < w->answer_count; i++)
		if (address_equal(&w->answers[i].to, to) && bytes_equal(w->answers[i].data, data))
			return &w->answers[i];
	return NULL;
}

static struct world_answer *answer_slot(struct govern_world *w, const struct address *to,
                                        struct bytes data)
{
	struct world_answer *slot = answer_of(w, to, data);

	if (slot == NULL) {
		if (w->answer_count == ARRAY_LEN(w->answers))
			die("the world's table of answers is full");
		slot = &w->answers[w->answer_count++];
		*slot = (struct world_answer){.to = *to, .data = arena_copy(&w->arena, data)};
	}
	return slot;
}

void world_says(struct govern_world *w, const struct address *to, struct bytes data,
                struct bytes returned)
{
	struct world_answer *slot = answer_slot(w, to, data);

	slot->reverts = false;
	slot->returned = arena_copy(&w->arena, returned);
}

void world_reverts(struct govern_world *w, const struct address *to, struct bytes data)
{
	struct world_answer *slot = answer_slot(w, to, data);

	slot->reverts = true;
	slot->returned = bytes_of(NULL, 0);
}

static void says_word(struct govern_world *w, const struct address *to, struct bytes data,
                      const struct hash32 *word)
{
	world_says(w, to, data, bytes_of(word->b, sizeof(word->b)));
}

void world_view_number(struct govern_world *w, const struct address *to, enum view view,
                       uint64_t number)
{
	struct hash32 word = {{0}};

	be64_put(word.b + 24, number);
	says_word(w, to, view_call(view), &word);
}

void world_view_address(struct govern_world *w, const struct address *to, enum view view,
                        const struct address *address)
{
	struct hash32 word = {{0}};

	memcpy(word.b + 12, address->b, sizeof(address->b));
	says_word(w, to, view_call(view), &word);
}

void world_role(struct govern_world *w, const struct hash32 *role, const struct address *account,
                bool has)
{
	struct hash32 word = {{0}};
	struct buf data = {0};

	word.b[31] = has;
	timelock_encode_has_role(&data, role, account);
	says_word(w, &w->timelock, buf_bytes(&data), &word);
	buf_free(&data);
}

void world_two_steps(struct govern_world *w, const struct address *registry,
                     const struct address *owner, const struct address *pending)
{
	world_view_address(w, registry, VIEW_OWNER, owner);
	world_view_address(w, registry, VIEW_PENDING_OWNER, pending);
}

/* The getters answer "no" to every value, hasRole "no" to everybody, getTimestamp "unset". */
static bool answers_zero(const struct govern_world *w, const struct address *to, struct bytes data)
{
	static const uint8_t has_role[4] = {0x91, 0xd1, 0x48, 0x54};
	static const uint8_t get_timestamp[4] = {0xd4, 0x5c, 0x44, 0x35};

	if (data.len < 4)
		return false;
	if (address_equal(to, &w->timelock))
		return memcmp(data.data, has_role, 4) == 0 ||
		       memcmp(data.data, get_timestamp, 4) == 0;
	enum kind kind = address_equal(to, &w->kms) ? KIND_OS_IMAGE : KIND_COMPOSE;
	return (address_equal(to, &w->kms) || address_equal(to, &w->app)) &&
	       memcmp(data.data, kind_getter_selector(kind), 4) == 0;
}

/* Additions and schedules succeed and return nothing. */
static bool takes(const struct govern_world *w, const struct address *to, struct bytes data)
{
	static const uint8_t schedule_batch[4] = {0x8f, 0x2a, 0x0b, 0xb0};
	enum kind kind = address_equal(to, &w->kms) ? KIND_OS_IMAGE : KIND_COMPOSE;

	if (data.len < 4)
		return false;
	if (address_equal(to, &w->timelock))
		return memcmp(data.data, schedule_batch, 4) == 0;
	return (address_equal(to, &w->kms) || address_equal(to, &w->app)) &&
	       (memcmp(data.data, kind_selector(kind, ACTION_ADD), 4) == 0 ||
	        memcmp(data.data, kind_selector(kind, ACTION_REMOVE), 4) == 0);
}

static bool contract(const struct address *to, struct bytes data, struct buf *returned, void *arg)
{
	struct govern_world *w = arg;
	const struct world_answer *answer = answer_of(w, to, data);

	if (address_equal(to, &w->without_code))
		return true; /* empty, as every call of nothing */
	if (answer != NULL) {
		buf_append_bytes(returned, answer->returned);
		return !answer->reverts;
	}
	if (takes(w, to, data))
		return true;
	if (!answers_zero(w, to, data))
		return false;
	buf_append_zeros(returned, 32);
	return true;
}

static struct jval *method(const char *name, const struct jval *params, void *arg)
{
	struct govern_world *w = arg;
	const char *first = jval_string(jval_at(params, 0));
	char hash[HASH32_TEXT_SIZE], text[ADDRESS_TEXT_SIZE];

	if (strcmp(name, "eth_getBalance") == 0)
		return jsonrpc_new_quantity(w->balance);
	if (strcmp(name, "eth_estimateGas") == 0 && w->call_gas != 0)
		return jsonrpc_new_quantity(w->call_gas);
	if (strcmp(name, "eth_getStorageAt") == 0)
		return jval_new_string(hash32_text(hash, &w->guard));
	if (strcmp(name, "eth_getCode") == 0 &&
	    strcmp(first, address_lower(text, &w->without_code)) == 0)
		return jval_new_string("0x");
	return NULL;
}

static void default_answers(struct govern_world *w)
{
	const struct address nobody = {{0}};
	struct buf returned = {0};

	for (size_t i = 0; i < 2; i++) {
		const struct address *registry = i == 0 ? &w->kms : &w->app;
		world_view_address(w, registry, VIEW_OWNER, &w->timelock);
		world_reverts(w, registry, view_call(VIEW_PENDING_OWNER));
	}
	world_view_number(w, &w->safe, VIEW_SAFE_NONCE, 42);
	world_view_number(w, &w->safe, VIEW_SAFE_THRESHOLD, 2);
	struct abi_writer owners = abi_begin(&returned, 1);
	abi_put_tail(&owners);
	owners = abi_begin_array(&returned, ARRAY_LEN(w->owners));
	for (size_t i = 0; i < ARRAY_LEN(w->owners); i++)
		abi_put_address(&owners, &w->owners[i]);
	world_says(w, &w->safe, view_call(VIEW_SAFE_OWNERS), buf_bytes(&returned));
	buf_clear(&returned);
	struct abi_writer version = abi_begin(&returned, 1);
	abi_put_bytes(&version, bytes_text("1.4.1"));
	world_says(w, &w->safe, view_call(VIEW_SAFE_VERSION), buf_bytes(&returned));
	buf_free(&returned);
	world_view_number(w, &w->timelock, VIEW_MIN_DELAY, WORLD_DELAY);
	world_role(w, &timelock_role_proposer, &w->safe, true);
	world_role(w, &timelock_role_executor, &w->safe, true);
	world_role(w, &timelock_role_executor, &nobody, false);
}

/* --- the service ------------------------------------------------------------------------------ */

static void serve(const struct httpd_request *request, struct httpd_reply *reply, void *arg)
{
	struct govern_world *w = arg;
	const char *body = strstr(request->path, "/api/v1/safes/") != NULL       ? w->safe_info
	                   : strstr(request->path, "/api/v2/delegates/") != NULL ? w->delegates
	                   : strstr(request->path, "/multisig-transactions/0x") != NULL
	                           ? w->transaction
	                           : "{\"count\":0,\"next\":null,\"previous\":null,\"results\":[]}";

	w->service_requests++;
	if (strstr(request->path, "/multisig-transactions/0x") != NULL)
		w->transaction_requests++;
	snprintf(w->service_path, sizeof(w->service_path), "%s", request->path);
	if (w->serve != NULL && w->serve(request, reply, w->serve_arg))
		return;
	reply->hang = w->service_hangs;
	reply->status = w->service_status != 0 ? w->service_status : body != NULL ? 200 : 404;
	buf_append_text(&reply->body, body != NULL ? body : "");
}

/* --- life ------------------------------------------------------------------------------------- */

static void too_late(void *arg)
{
	(void)arg;
	die("the test's loop did not stop");
}

static void stop(void *arg)
{
	loop_stop(arg);
}

static void parse(struct address *out, const char *text)
{
	if (address_parse(out, text, NULL) != 0)
		die("%s is no address", text);
}

int govern_world_setup(void **state)
{
	struct govern_world *w = xcalloc(1, sizeof(*w));

	scratch_make(w->folder, "govern");
	w->loop = loop_new();
	w->http = http_new(w->loop);
	w->timeout = loop_timer_new(w->loop, too_late, w);
	w->pause = loop_timer_new(w->loop, stop, w->loop);
	node_start(&w->node, w->loop);
	w->node.chain_id = WORLD_CHAIN;
	w->node.genesis_time = (uint64_t)clock_wall().ms / 1000 - 2 * w->node.head;
	w->node.contract = contract;
	w->node.method = method;
	w->node.arg = w;
	w->service = httpd_new(w->loop, serve, w);
	parse(&w->kms, "0x67d269191c92Caf3cD7723F116c85e6E9bf55933");
	parse(&w->app, "0xfBD745797A0fb50429f0a2b04581092798Fdf30B");
	parse(&w->safe, "0xa4dcFd4eDA4a6Dac21037C99ee34f23F1e58a10B");
	parse(&w->timelock, "0xa85233C63b9Ee964Add6F2cffe00Fd84eb32338f");
	parse(&w->owners[0], "0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
	parse(&w->owners[1], "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC");
	parse(&w->owners[2], "0x90F79bf6EB2c4f870365E785982E1f101E93b906");
	w->balance = 1000000000;
	default_answers(w);
	*state = w;
	return 0;
}

static const char *write_file(struct govern_world *w, const char *name, const char *content)
{
	const char *path = arena_printf(&w->arena, "%s/%s", w->folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, content, strlen(content)) != (ssize_t)strlen(content))
		die("cannot write %s", path);
	close(fd);
	return path;
}

static void add_key(struct govern_world *w, struct buf *yaml, const char *option, const char *key)
{
	if (key != NULL)
		buf_printf(yaml, "    %s: %s\n", option, write_file(w, option, key));
}

static void load_config(struct govern_world *w, const struct world_options *options)
{
	char kms[ADDRESS_TEXT_SIZE], app[ADDRESS_TEXT_SIZE], safe[ADDRESS_TEXT_SIZE],
	        timelock[ADDRESS_TEXT_SIZE], code[HASH32_TEXT_SIZE];
	struct hash32 multicall = node_multicall_code();
	struct buf yaml = {0};

	w->watched = arena_printf(&w->arena, "%s/watched", w->folder);
	buf_printf(&yaml,
	           "state_dir: %s/state\n"
	           "control_socket: %s/control.sock\n"
	           "chains:\n"
	           "  base:\n"
	           "    chain_id: %d\n"
	           "    rpc: [\"%s\"%s%s%s]\n"
	           "    poll: 1h\n    multicall_code: [%s]\n%s"
	           "targets:\n"
	           "  payments:\n"
	           "    chain: base\n"
	           "    kms: \"%s\"\n    app: \"%s\"\n    safe: \"%s\"\n    timelock: \"%s\"\n%s",
	           w->folder, w->folder, WORLD_CHAIN, httpd_url(w->node.httpd),
	           options->spare_rpc != NULL ? ", \"" : "",
	           options->spare_rpc != NULL ? options->spare_rpc : "",
	           options->spare_rpc != NULL ? "\"" : "", hash32_text(code, &multicall),
	           options->chain, address_text(kms, &w->kms), address_text(app, &w->app),
	           address_text(safe, &w->safe), address_text(timelock, &w->timelock),
	           options->target);
	if (options->with_service)
		buf_printf(&yaml, "    service: {kind: tx-service, url: \"%s\"}\n",
		           httpd_url(w->service));
	add_key(w, &yaml, "proposer_key_file", options->proposer_key);
	add_key(w, &yaml, "executor_key_file", options->executor_key);
	buf_printf(&yaml, "watch:\n  - {path: %s, target: payments}\n", w->watched);
	w->config_path = write_file(w, "registrard.yaml", buf_text(&yaml));
	buf_free(&yaml);
	if (config_load(&w->config, w->config_path, &w->error) != 0)
		die("%s", w->error.text);
}

void govern_world_prepare(struct govern_world *w, const struct world_options *options)
{
	load_config(w, options);
	if (mkdir(w->config->state_dir, 0700) != 0 || mkdir(w->watched, 0700) != 0)
		die("cannot make the folders");
	if (store_open(&w->store, arena_printf(&w->arena, "%s/registrard.db", w->config->state_dir),
	               &w->error) != 0 ||
	    signer_start(&w->signer, w->loop, w->config, &w->error) != 0)
		die("%s", w->error.text);
	store_set_now(w->store, clock_wall());
	w->parts = (struct govern_parts){.loop = w->loop,
	                                 .http = w->http,
	                                 .store = w->store,
	                                 .signer = w->signer,
	                                 .config = w->config};
}

void govern_world_start(struct govern_world *w, const struct world_options *options)
{
	govern_world_prepare(w, options);
	w->govern = govern_new(&w->parts);
}

int govern_world_teardown(void **state)
{
	struct govern_world *w = *state;

	signer_free(w->signer);
	govern_free(w->govern);
	store_close(w->store);
	config_free(w->config);
	http_free(w->http);
	node_stop(&w->node);
	httpd_free(w->service);
	loop_timer_free(w->timeout);
	loop_timer_free(w->pause);
	loop_free(w->loop);
	int rc = scratch_remove(w->folder);
	arena_free(&w->arena);
	free(w);
	return rc;
}

void world_run(struct govern_world *w)
{
	loop_timer_set(w->timeout, 10 * 1000);
	loop_run(w->loop);
	loop_timer_cancel(w->timeout);
}

void world_run_for(struct govern_world *w, int64_t ms)
{
	loop_timer_set(w->pause, ms);
	world_run(w);
	loop_timer_cancel(w->pause);
}
