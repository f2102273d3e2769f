#include "daemon/ctl/render.h"

#include "daemon/ctl/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAX_WAITING = 20, MAX_TROUBLE = 20, TEXT_SIZE = 96 };

/* A member as text, whatever its type; NULL for null and what is missing. number needs room for
 * one that is no string. */
static const char *member(const struct jval *object, const char *key, char number[TEXT_SIZE])
{
	const struct jval *value = jval_get(object, key);
	int64_t n;

	if (jval_get_int(object, key, &n) == 0)
		snprintf(number, TEXT_SIZE, "%" PRId64, n);
	else if (jval_is_true(value) || jval_is_false(value))
		snprintf(number, TEXT_SIZE, "%s", jval_is_true(value) ? "yes" : "no");
	else
		return jval_string(value);
	return number;
}

static const char *text_of(const struct jval *object, const char *key)
{
	const char *text = jval_get_string(object, key);

	return text != NULL ? text : "-";
}

/* 0x12345678…abcdef: enough to tell values apart on one line. */
static const char *short_hash(char out[TEXT_SIZE], const char *hash)
{
	size_t len = hash != NULL ? strlen(hash) : 0;

	if (len < 24)
		return hash;
	snprintf(out, TEXT_SIZE, "%.10s\xe2\x80\xa6%s", hash, hash + len - 6);
	return out;
}

/* Without milliseconds: 2026-01-02T03:04:05Z. */
static const char *short_time(char out[TEXT_SIZE], const char *time)
{
	if (time == NULL || strlen(time) < 20)
		return time;
	snprintf(out, TEXT_SIZE, "%.19sZ", time);
	return out;
}

static void join_texts(struct buf *out, const struct jval *array)
{
	for (size_t i = 0; i < jval_count(array); i++) {
		if (i > 0)
			buf_append_text(out, ", ");
		text_append(out, jval_string(jval_at(array, i)));
	}
}

/* "  name        value" */
static void field(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "  %-14s", name);
	text_append(out, value);
	buf_append_text(out, "\n");
}

/* --- status ---------------------------------------------------------------------------------- */

static void render_troubles(struct buf *out, const struct jval *endpoints)
{
	for (size_t i = 0; i < jval_count(endpoints); i++) {
		const struct jval *endpoint = jval_at(endpoints, i);
		const char *trouble = jval_get_string(endpoint, "trouble");
		if (trouble == NULL)
			continue;
		buf_append_text(out, "  RPC endpoint ");
		text_append(out, text_of(endpoint, "name"));
		buf_append_text(out, ": ");
		text_append(out, trouble);
		buf_append_text(out, "\n");
	}
}

static void render_chains(struct buf *out, const struct jval *chains)
{
	struct table table = {0};
	char id[TEXT_SIZE], head[TEXT_SIZE], final[TEXT_SIZE], when[TEXT_SIZE], answer[TEXT_SIZE];

	table_add(&table, "CHAIN", "ID", "HEAD", "FINAL", "BLOCK TIME", "LAST ANSWER", "");
	for (size_t i = 0; i < jval_count(chains); i++) {
		const struct jval *chain = jval_at(chains, i);
		const char *trouble = jval_get_string(chain, "stopped");
		if (trouble == NULL)
			trouble = jval_get_string(chain, "error");
		table_add(&table, text_of(chain, "chain"), member(chain, "chain_id", id),
		          member(chain, "head", head), member(chain, "final", final),
		          short_time(when, jval_get_string(chain, "block_time")),
		          short_time(answer, jval_get_string(chain, "last_answer")),
		          trouble != NULL ? trouble : "");
	}
	table_write(out, &table, 0);
	for (size_t i = 0; i < jval_count(chains); i++)
		render_troubles(out, jval_get(jval_at(chains, i), "endpoints"));
}

static void render_services(struct buf *out, const struct jval *chains)
{
	struct table table = {0};
	char made[TEXT_SIZE], budget[TEXT_SIZE];
	size_t rows = 0;

	for (size_t c = 0; c < jval_count(chains); c++) {
		const struct jval *services = jval_get(jval_at(chains, c), "services");
		for (size_t i = 0; i < jval_count(services); i++, rows++) {
			const struct jval *service = jval_at(services, i);
			if (rows == 0)
				table_add(&table, "SAFE SERVICE OF", "REQUESTS TODAY", "BUDGET");
			table_add(&table, text_of(service, "target"),
			          member(service, "requests_today", made),
			          member(service, "budget", budget));
		}
	}
	if (rows > 0)
		buf_append_text(out, "\n");
	table_write(out, &table, 0);
}

static int append_count(const char *name, const struct jval *value, void *arg)
{
	struct jval *holder = jval_object();
	struct buf *out = arg;
	int64_t count;

	jval_add(holder, "n", jval_copy(value));
	if (jval_get_int(holder, "n", &count) == 0 && count > 0)
		buf_printf(out, "%s%" PRId64 " %s", out->len > 0 ? ", " : "", count, name);
	jval_free(holder);
	return 0;
}

static void render_targets(struct buf *out, const struct jval *targets)
{
	struct table table = {0};

	table_add(&table, "TARGET", "CHAIN", "MODEL", "MEASUREMENTS", "PROPOSALS");
	for (size_t i = 0; i < jval_count(targets); i++) {
		const struct jval *target = jval_at(targets, i);
		struct buf measurements = {0}, proposals = {0};
		jval_each(jval_get(target, "measurements"), append_count, &measurements);
		jval_each(jval_get(target, "proposals"), append_count, &proposals);
		table_add(&table, text_of(target, "target"), text_of(target, "chain"),
		          text_of(target, "model"),
		          measurements.len > 0 ? buf_text(&measurements) : "none",
		          proposals.len > 0 ? buf_text(&proposals) : "none");
		buf_free(&measurements);
		buf_free(&proposals);
	}
	table_write(out, &table, 0);
}

static void render_watches(struct buf *out, const struct jval *watches)
{
	struct table table = {0};
	char folders[TEXT_SIZE];

	if (jval_count(watches) == 0)
		return;
	table_add(&table, "FOLDER", "TARGET", "WATCHED BY", "FOLDERS", "");
	for (size_t i = 0; i < jval_count(watches); i++) {
		const struct jval *watch = jval_at(watches, i);
		const char *why = jval_get_string(watch, "why");
		table_add(&table, text_of(watch, "path"), text_of(watch, "target"),
		          text_of(watch, "mode"), member(watch, "folders", folders),
		          why != NULL ? why : "");
	}
	table_write(out, &table, 0);
	buf_append_text(out, "\n");
}

/* The counts, and those in trouble. */
static void render_endpoints(struct buf *out, const struct jval *endpoints)
{
	const struct jval *trouble = jval_get(endpoints, "trouble");
	struct table table = {0};
	char text[TEXT_SIZE];

	if (!jval_is_object(endpoints))
		return;
	buf_printf(out, "Endpoints: %s", member(endpoints, "count", text));
	buf_printf(out, "; %s answering", member(endpoints, "answering", text));
	buf_printf(out, ", %s failing", member(endpoints, "failing", text));
	buf_printf(out, ", %s refused", member(endpoints, "refused", text));
	buf_printf(out, ", %s not asked yet\n", member(endpoints, "unasked", text));
	if (jval_count(trouble) > 0)
		table_add(&table, "ENDPOINT", "TARGET", "STATE", "LAST ANSWER", "");
	for (size_t i = 0; i < jval_count(trouble) && i < MAX_TROUBLE; i++) {
		const struct jval *row = jval_at(trouble, i);
		const char *answer = short_time(text, jval_get_string(row, "last_answer"));

		table_add(&table, text_of(row, "url"), text_of(row, "target"),
		          text_of(row, "state"), answer != NULL ? answer : "never",
		          text_of(row, "error"));
	}
	table_write(out, &table, 0);
	buf_append_text(out, "\n");
}

/* What is wrong now, since when, and what to do about it. */
static void render_alarms(struct buf *out, const struct jval *chains)
{
	struct table table = {0};
	char since[TEXT_SIZE];
	size_t count = 0;

	for (size_t c = 0; c < jval_count(chains); c++) {
		const struct jval *rows = jval_get(jval_at(chains, c), "troubles");
		for (size_t i = 0; i < jval_count(rows) && count < MAX_TROUBLE; i++, count++) {
			const struct jval *row = jval_at(rows, i);
			if (count == 0)
				table_add(&table, "TROUBLE", "OF", "SINCE", "DO", "");
			table_add(&table, text_of(row, "alarm"), text_of(row, "subject"),
			          short_time(since, jval_get_string(row, "since")),
			          text_of(row, "do"), "");
		}
	}
	if (count > 0) {
		table_write(out, &table, 0);
		buf_append_text(out, "\n");
	}
}

static void render_waiting(struct buf *out, const struct jval *waiting)
{
	struct table table = {0};
	size_t count = jval_count(waiting);
	char since[TEXT_SIZE];

	if (count == 0) {
		buf_append_text(out, "Nothing waits.\n");
		return;
	}
	table_add(&table, "ID", "TARGET", "STATE", "SINCE", "WAITS FOR");
	for (size_t i = 0; i < count && i < MAX_WAITING; i++) {
		const struct jval *row = jval_at(waiting, i);
		table_add(&table, text_of(row, "id"), text_of(row, "target"), text_of(row, "state"),
		          short_time(since, jval_get_string(row, "since")), text_of(row, "for"));
	}
	table_write(out, &table, 0);
	if (count > MAX_WAITING)
		buf_printf(out, "... and %zu more\n", count - MAX_WAITING);
}

static void render_last_alarms(struct buf *out, const struct jval *alarms)
{
	struct table table = {0};
	char at[TEXT_SIZE];

	if (jval_count(alarms) == 0)
		return;
	table_add(&table, "LAST ALARMS", "ABOUT", "TEXT");
	for (size_t i = 0; i < jval_count(alarms); i++) {
		const struct jval *row = jval_at(alarms, i);
		table_add(&table, short_time(at, jval_get_string(row, "at")),
		          text_of(row, "subject"), text_of(row, "text"));
	}
	buf_append_text(out, "\n");
	table_write(out, &table, 0);
}

void render_status(struct buf *out, const struct jval *status)
{
	char started[TEXT_SIZE];

	buf_printf(out, "registrard %s, up since %s\n\n", text_of(status, "version"),
	           short_time(started, text_of(status, "started")));
	render_chains(out, jval_get(status, "chains"));
	buf_append_text(out, "\n");
	render_targets(out, jval_get(status, "targets"));
	render_services(out, jval_get(status, "chains"));
	buf_append_text(out, "\n");
	render_watches(out, jval_get(jval_get(status, "folders"), "watches"));
	render_endpoints(out, jval_get(status, "endpoints"));
	render_alarms(out, jval_get(status, "chains"));
	render_waiting(out, jval_get(status, "waiting"));
	render_last_alarms(out, jval_get(status, "last_alarms"));
}

/* --- measurements ---------------------------------------------------------------------------- */

static int level_rank(const char *level)
{
	return strcmp(level, "attested") == 0 ? 3 : strcmp(level, "recomputed") == 0 ? 2 : 1;
}

/* The strongest level of all evidence. */
static const char *best_level(const struct jval *evidence)
{
	const char *best = NULL;

	for (size_t i = 0; i < jval_count(evidence); i++) {
		const char *level = jval_get_string(jval_at(evidence, i), "level");
		if (level != NULL && (best == NULL || level_rank(level) > level_rank(best)))
			best = level;
	}
	return best;
}

void render_measurements(struct buf *out, const struct jval *list)
{
	struct table table = {0};
	char value[TEXT_SIZE], seen[TEXT_SIZE];

	if (jval_count(list) == 0) {
		buf_append_text(out, "No measurements.\n");
		return;
	}
	table_add(&table, "ID", "KIND", "VALUE", "TARGET", "STATUS", "EVIDENCE", "FIRST SEEN",
	          "PROPOSALS", "REASON");
	for (size_t i = 0; i < jval_count(list); i++) {
		const struct jval *one = jval_at(list, i);
		const char *reason = jval_get_string(one, "reason");
		struct buf proposals = {0};
		join_texts(&proposals, jval_get(one, "proposals"));
		table_add(&table, text_of(one, "id"), text_of(one, "kind"),
		          short_hash(value, jval_get_string(one, "value")), text_of(one, "target"),
		          text_of(one, "status"), best_level(jval_get(one, "evidence")),
		          short_time(seen, jval_get_string(one, "first_seen")),
		          proposals.len > 0 ? buf_text(&proposals) : "-",
		          reason != NULL ? reason : "");
		buf_free(&proposals);
	}
	table_write(out, &table, 0);
}

/* passed: name: text, one line each; what failed or stayed open stands out by its first word. */
static void render_checks(struct buf *out, const struct jval *checks)
{
	for (size_t i = 0; i < jval_count(checks); i++) {
		const struct jval *check = jval_at(checks, i);
		const char *result = text_of(check, "result");
		buf_printf(out, "      %-9s ",
		           strcmp(result, "passed") == 0   ? "ok"
		           : strcmp(result, "failed") == 0 ? "FAILED"
		                                           : "undecided");
		text_append(out, text_of(check, "check"));
		buf_append_text(out, ": ");
		text_append(out, text_of(check, "text"));
		buf_append_text(out, "\n");
	}
}

static int detail_row(const char *key, const struct jval *value, void *arg);

/* A list among the details: checks, machines with details of their own, or texts. */
static void render_list(struct buf *out, const char *key, const struct jval *list)
{
	if (strcmp(key, "checks") == 0) {
		render_checks(out, list);
		return;
	}
	for (size_t i = 0; i < jval_count(list); i++) {
		const struct jval *one = jval_at(list, i);
		buf_append_text(out, "      ");
		text_append(out, key);
		buf_append_text(out, " ");
		if (jval_string(one) != NULL)
			text_append(out, jval_string(one));
		else
			buf_printf(out, "%zu:", i + 1);
		buf_append_text(out, "\n");
		jval_each(one, detail_row, out);
	}
}

static int detail_row(const char *key, const struct jval *value, void *arg)
{
	struct jval *holder = jval_object();
	struct buf *out = arg;
	char number[TEXT_SIZE];

	if (jval_is_array(value)) {
		render_list(out, key, value);
		jval_free(holder);
		return 0;
	}
	jval_add(holder, "v", jval_copy(value));
	const char *text = member(holder, "v", number);
	if (text != NULL && text[0] != '\0') {
		buf_append_text(out, "      ");
		text_append(out, key);
		for (size_t i = strlen(key); i < 14; i++)
			buf_append_text(out, " ");
		buf_append_text(out, " ");
		text_append(out, text);
		buf_append_text(out, "\n");
	}
	jval_free(holder);
	return 0;
}

static void render_evidence(struct buf *out, const struct jval *evidence)
{
	struct buf line = {0};

	for (size_t i = 0; i < jval_count(evidence); i++) {
		const struct jval *piece = jval_at(evidence, i);
		buf_clear(&line);
		buf_printf(&line, "%s%s, from %s: %s", text_of(piece, "level"),
		           jval_is_true(jval_get(piece, "signed")) ? ", signed" : "",
		           text_of(piece, "source"), text_of(piece, "artifact"));
		field(out, "evidence", buf_text(&line));
		jval_each(jval_get(piece, "details"), detail_row, out);
	}
	buf_free(&line);
}

static bool same_json(const struct jval *a, const struct jval *b)
{
	struct buf left = {0}, right = {0};

	jval_write(&left, a, JVAL_COMPACT);
	jval_write(&right, b, JVAL_COMPACT);
	bool same = strcmp(buf_text(&left), buf_text(&right)) == 0;
	buf_free(&left);
	buf_free(&right);
	return same;
}

/* What the KMS says about the machines that show it. */
static void render_preflight(struct buf *out, const struct jval *preflight)
{
	const char *reason = jval_get_string(preflight, "reason"),
	           *assumed = jval_get_string(preflight, "assumed");
	struct buf line = {0};

	if (!jval_is_object(preflight))
		return;
	buf_printf(&line, "%s: %s%s%s, asked about %s", text_of(preflight, "call"),
	           text_of(preflight, "allowed"), reason != NULL && reason[0] != '\0' ? ": " : "",
	           reason != NULL ? reason : "", text_of(preflight, "source"));
	if (assumed != NULL && assumed[0] != '\0')
		buf_printf(&line, " (it does not state %s)", assumed);
	field(out, "KMS", buf_text(&line));
	buf_free(&line);
}

void render_measurement_after(struct buf *out, const struct jval *one, const struct jval *before)
{
	const struct jval *evidence = jval_get(one, "evidence");
	const char *reason = jval_get_string(one, "reason"),
	           *pending = jval_get_string(one, "pending");
	struct buf line = {0};

	buf_printf(out, "%s  %s  ", text_of(one, "id"), text_of(one, "kind"));
	text_append(out, text_of(one, "target"));
	buf_append_text(out, "\n");
	field(out, "value", jval_get_string(one, "value"));
	buf_printf(&line, "%s%s%s", text_of(one, "status"), reason != NULL ? ": " : "",
	           reason != NULL ? reason : "");
	field(out, "status", buf_text(&line));
	buf_clear(&line);
	buf_printf(&line, "%s%s%s", text_of(one, "wanted"), pending != NULL ? ", pending " : "",
	           pending != NULL ? pending : "");
	field(out, "wanted", buf_text(&line));
	field(out, "first seen", jval_get_string(one, "first_seen"));
	buf_clear(&line);
	join_texts(&line, jval_get(one, "proposals"));
	field(out, "proposals", line.len > 0 ? buf_text(&line) : "none");
	render_preflight(out, jval_get(one, "preflight"));
	buf_clear(&line);
	if (jval_count(evidence) > 0 && before != NULL &&
	    same_json(evidence, jval_get(before, "evidence"))) {
		buf_printf(&line, "as of %s", text_of(before, "id"));
		field(out, "evidence", buf_text(&line));
	} else {
		render_evidence(out, evidence);
	}
	buf_free(&line);
}

/* --- proposals ------------------------------------------------------------------------------- */

static void append_flags(struct buf *out, const struct jval *flags)
{
	if (jval_count(flags) == 0)
		return;
	buf_append_text(out, " (");
	join_texts(out, flags);
	buf_append_text(out, ")");
}

/* "1 of 2", "-" when nothing awaits signatures. */
static const char *signed_by(char out[TEXT_SIZE], const struct jval *object)
{
	char have[TEXT_SIZE], need[TEXT_SIZE];
	const char *confirmations = member(object, "confirmations", have);
	const char *threshold = member(object, "threshold", need);

	if (confirmations == NULL)
		return NULL;
	snprintf(out, TEXT_SIZE, "%.20s of %.20s", confirmations,
	         threshold != NULL ? threshold : "?");
	return out;
}

void render_proposals(struct buf *out, const struct jval *list)
{
	struct table table = {0};
	char calls[TEXT_SIZE], nonce[TEXT_SIZE], signatures[TEXT_SIZE], ready[TEXT_SIZE],
	        since[TEXT_SIZE];

	if (jval_count(list) == 0) {
		buf_append_text(out, "No proposals.\n");
		return;
	}
	table_add(&table, "ID", "TARGET", "STATE", "SINCE", "CALLS", "NONCE", "SIGNED", "READY AT",
	          "LAST");
	for (size_t i = 0; i < jval_count(list); i++) {
		const struct jval *one = jval_at(list, i), *history = jval_get(one, "history");
		const struct jval *last = jval_at(history, jval_count(history) - 1);
		struct buf state = {0};
		text_append(&state, text_of(one, "state"));
		append_flags(&state, jval_get(one, "flags"));
		snprintf(calls, sizeof(calls), "%zu", jval_count(jval_get(one, "calls")));
		table_add(&table, text_of(one, "id"), text_of(one, "target"), buf_text(&state),
		          short_time(since, jval_get_string(last, "at")), calls,
		          member(one, "safe_nonce", nonce), signed_by(signatures, one),
		          short_time(ready, jval_get_string(one, "ready_at")),
		          text_of(last, "reason"));
		buf_free(&state);
	}
	table_write(out, &table, 0);
}

static void render_calls(struct buf *out, const struct jval *calls)
{
	struct table table = {0};

	for (size_t i = 0; i < jval_count(calls); i++) {
		const struct jval *call = jval_at(calls, i);
		const char *tx = jval_get_string(call, "tx");
		table_add(&table, text_of(call, "action"), text_of(call, "kind"),
		          text_of(call, "value"), "on", text_of(call, "to"),
		          tx != NULL ? "made in" : "", tx != NULL ? tx : "");
	}
	buf_append_text(out, "  calls\n");
	table_write(out, &table, 4);
}

static void render_blocked(struct buf *out, const struct jval *tx)
{
	const struct jval *blocked = jval_get(tx, "blocked");
	char nonce[TEXT_SIZE], first[TEXT_SIZE], since[TEXT_SIZE];

	if (blocked == NULL || jval_is_null(blocked))
		return;
	buf_printf(out, "    nonce %s waits for nonce %s since %s: ", member(tx, "nonce", nonce),
	           member(blocked, "nonce", first),
	           short_time(since, jval_get_string(blocked, "since")));
	text_append(out, text_of(blocked, "by"));
	buf_append_text(out, "\n");
}

/* One that competes for a nonce, or rejects what has it, waits for the same. */
static bool nonce_came_before(const struct jval *txs, size_t index)
{
	int64_t nonce, other;

	if (jval_get_int(jval_at(txs, index), "nonce", &nonce) != 0)
		return false;
	for (size_t i = 0; i < index; i++) {
		const struct jval *blocked = jval_get(jval_at(txs, i), "blocked");
		if (blocked != NULL && !jval_is_null(blocked) &&
		    jval_get_int(jval_at(txs, i), "nonce", &other) == 0 && other == nonce)
			return true;
	}
	return false;
}

static void render_safe_txs(struct buf *out, const struct jval *txs)
{
	struct table table = {0};
	char attempt[TEXT_SIZE], nonce[TEXT_SIZE], signatures[TEXT_SIZE];

	if (jval_count(txs) == 0)
		return;
	table_add(&table, "PURPOSE", "ATTEMPT", "NONCE", "STATUS", "SIGNED", "SAFE TX HASH",
	          "TRANSACTION");
	for (size_t i = 0; i < jval_count(txs); i++) {
		const struct jval *tx = jval_at(txs, i);
		table_add(&table, text_of(tx, "purpose"), member(tx, "attempt", attempt),
		          member(tx, "nonce", nonce), text_of(tx, "status"),
		          signed_by(signatures, tx), text_of(tx, "safe_tx_hash"),
		          text_of(tx, "tx"));
	}
	buf_append_text(out, "  Safe transactions\n");
	table_write(out, &table, 4);
	for (size_t i = 0; i < jval_count(txs); i++)
		if (!nonce_came_before(txs, i))
			render_blocked(out, jval_at(txs, i));
}

static void render_history(struct buf *out, const struct jval *history)
{
	struct table table = {0};
	char at[TEXT_SIZE];

	for (size_t i = 0; i < jval_count(history); i++) {
		const struct jval *row = jval_at(history, i);
		const char *tx = jval_get_string(row, "tx");
		struct buf reason = {0};
		buf_printf(&reason, "%s%s%s", text_of(row, "reason"),
		           tx != NULL ? "; transaction " : "", tx != NULL ? tx : "");
		table_add(&table, short_time(at, jval_get_string(row, "at")), text_of(row, "to"),
		          buf_text(&reason));
		buf_free(&reason);
	}
	buf_append_text(out, "  history\n");
	table_write(out, &table, 4);
}

void render_proposal(struct buf *out, const struct jval *one)
{
	char number[TEXT_SIZE], signatures[TEXT_SIZE];
	const char *nonce = member(one, "safe_nonce", number);

	buf_printf(out, "%s  ", text_of(one, "id"));
	text_append(out, text_of(one, "target"));
	buf_printf(out, "  %s", text_of(one, "state"));
	append_flags(out, jval_get(one, "flags"));
	buf_printf(out, "  by %s\n", text_of(one, "origin"));
	field(out, "Safe", jval_get_string(one, "safe"));
	if (jval_get_string(one, "safe") == NULL)
		field(out, "sent by", jval_get_string(one, "sender"));
	if (nonce != NULL) {
		field(out, "nonce", nonce);
		field(out, "signed", signed_by(signatures, one));
		field(out, "Safe tx hash", jval_get_string(one, "safe_tx_hash"));
	}
	field(out, "operation", jval_get_string(one, "operation_id"));
	field(out, "ready at", jval_get_string(one, "ready_at"));
	render_calls(out, jval_get(one, "calls"));
	render_safe_txs(out, jval_get(one, "safe_txs"));
	render_history(out, jval_get(one, "history"));
}

/* --- the rest ----------------------------------------------------------------------------------
 */

void render_event(struct buf *out, const struct jval *event)
{
	char id[TEXT_SIZE], at[TEXT_SIZE];
	const char *subject = jval_get_string(event, "subject");

	text_append(out, short_time(at, jval_get_string(event, "at")));
	const char *number = member(event, "id", id);
	buf_printf(out, " %s %s ", number != NULL ? number : "-", text_of(event, "type"));
	if (subject != NULL && subject[0] != '\0') {
		text_append(out, subject);
		buf_append_text(out, ": ");
	}
	text_append(out, text_of(event, "text"));
	buf_append_text(out, "\n");
}

void render_check(struct buf *out, const struct jval *check)
{
	const struct jval *list = jval_get(check, "checks");
	const char *authorized = text_of(check, "authorized");
	struct table table = {0};
	char head[TEXT_SIZE], final[TEXT_SIZE];

	buf_printf(out, "%s is %s for ", text_of(check, "value"),
	           strcmp(authorized, "yes") == 0  ? "authorized"
	           : strcmp(authorized, "no") == 0 ? "not authorized"
	                                           : "not known to be authorized or not");
	text_append(out, text_of(check, "target"));
	buf_append_text(out, "\n");
	table_add(&table, "KIND", "CONTRACT", "ASKED", "LATEST", "FINAL");
	for (size_t i = 0; i < jval_count(list); i++) {
		const struct jval *one = jval_at(list, i);
		table_add(&table, text_of(one, "kind"), text_of(one, "contract"),
		          text_of(one, "getter"), text_of(one, "latest"), text_of(one, "final"));
	}
	const char *head_number = member(jval_get(check, "head"), "number", head);
	const char *final_number = member(jval_get(check, "final"), "number", final);
	table_add(&table, "", "", "at block", head_number, final_number);
	table_write(out, &table, 2);
}

static const char *verdict(const char *result)
{
	static const char *const words[][2] = {
	        {"ok", "OK"}, {"warning", "WARN"}, {"failure", "FAIL"}};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i][0], result) == 0)
			return words[i][1];
	return "?";
}

/* The transactions that repair what a row found, ready to be sent. */
static void render_repair(struct table *table, const struct jval *calls)
{
	for (size_t i = 0; i < jval_count(calls); i++) {
		const struct jval *call = jval_at(calls, i);
		const char *from = jval_get_string(call, "from");
		int64_t after = 0;
		(void)!jval_get_int(call, "after_seconds", &after);
		table_add(table, "", "", "",
		          arena_printf(&table->arena, "   %zu. %sfrom %s%s%s%s to %s", i + 1,
		                       after > 0 ? arena_printf(&table->arena, "%lld s later, ",
		                                                (long long)after)
		                                 : "",
		                       text_of(call, "from_name"), from != NULL ? " (" : "",
		                       from != NULL ? from : "", from != NULL ? ")" : "",
		                       text_of(call, "to")));
		table_add(table, "", "", "",
		          arena_printf(&table->arena, "      data %s", text_of(call, "data")));
	}
}

void render_doctor(struct buf *out, const struct jval *report)
{
	struct table table = {0};
	size_t wrong = 0;

	for (size_t i = 0; i < jval_count(report); i++) {
		const struct jval *row = jval_at(report, i);
		const char *result = verdict(text_of(row, "result")),
		           *fix = jval_get_string(row, "fix");
		bool ok = strcmp(result, "OK") == 0;
		wrong += !ok;
		table_add(&table, result, text_of(row, "target"), text_of(row, "check"),
		          text_of(row, "found"));
		if (!ok && fix != NULL)
			table_add(&table, "", "", "", arena_printf(&table.arena, "-> %s", fix));
		render_repair(&table, jval_get(row, "calls"));
	}
	table_write(out, &table, 0);
	buf_printf(out, "%zu checks, %zu not fine\n", jval_count(report), wrong);
}

void render_decided(struct buf *out, const struct jval *list)
{
	struct table table = {0};

	for (size_t i = 0; i < jval_count(list); i++) {
		const struct jval *one = jval_at(list, i);
		const char *status = jval_get_string(one, "status"),
		           *kind = jval_get_string(one, "kind");
		struct buf now = {0};
		buf_append_text(&now, status != NULL ? status : text_of(one, "state"));
		append_flags(&now, jval_get(one, "flags"));
		table_add(&table, text_of(one, "id"), text_of(one, "target"),
		          kind != NULL ? kind : "proposal",
		          kind != NULL ? text_of(one, "value") : "", buf_text(&now));
		buf_free(&now);
	}
	table_write(out, &table, 0);
}

void render_inspected(struct buf *out, const struct jval *file)
{
	const struct jval *measurements = jval_get(file, "measurements");
	const char *refusal = jval_get_string(file, "refusal");

	text_append(out, text_of(file, "file"));
	buf_printf(out, "  %s  %s\n", text_of(file, "format"), refusal != NULL ? "REFUSED" : "ok");
	if (refusal != NULL)
		field(out, "refused", refusal);
	for (size_t i = 0; i < jval_count(measurements); i++) {
		const struct jval *one = jval_at(measurements, i);
		struct buf line = {0};
		buf_printf(&line, "%s  %s%s", text_of(one, "value"), text_of(one, "level"),
		           jval_is_true(jval_get(one, "signed")) ? ", signed" : "");
		field(out, text_of(one, "kind"), buf_text(&line));
		buf_free(&line);
	}
	jval_each(jval_get(file, "details"), detail_row, out);
}
