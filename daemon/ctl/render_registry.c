#include "daemon/ctl/render_registry.h"

#include "daemon/ctl/render.h"
#include "daemon/ctl/table.h"

#include <string.h>

static const char *text_of(const struct jval *object, const char *key)
{
	return jval_get_string(object, key);
}

void render_drift(struct buf *out, const struct jval *list)
{
	struct table table = {0};
	size_t different = 0, undecided = 0;

	table_add(&table, "VERDICT", "TARGET", "KIND", "VALUE", "CHAIN", "RECORDED", "WANTED",
	          "LAST TRANSACTION");
	for (size_t i = 0; i < jval_count(list); i++) {
		const struct jval *row = jval_at(list, i);
		const char *verdict = text_of(row, "verdict");
		if (verdict != NULL && strcmp(verdict, "ok") == 0)
			continue;
		bool open = verdict != NULL && strcmp(verdict, "undecided") == 0;
		*(open ? &undecided : &different) += 1;
		table_add(&table, verdict, text_of(row, "target"), text_of(row, "kind"),
		          text_of(row, "value"), text_of(row, "chain"), text_of(row, "recorded"),
		          text_of(row, "wanted"), text_of(row, "tx"));
	}
	if (different + undecided > 0)
		table_write(out, &table, 0);
	arena_free(&table.arena);
	buf_printf(out, "%zu values compared, %zu not as recorded", jval_count(list), different);
	if (undecided > 0)
		buf_printf(out, ", %zu undecided", undecided);
	buf_append_text(out, "\n");
}

static void displaced_row(struct buf *out, const struct jval *one)
{
	const char *proposal = text_of(one, "proposal"), *by = text_of(one, "by");
	bool ours = by != NULL && strcmp(by, "registrard") == 0;
	int64_t nonce;

	if (jval_get_int(one, "nonce", &nonce) != 0)
		return;
	buf_printf(out, "displaces nonce %lld: ", (long long)nonce);
	text_append(out, text_of(one, "safe_tx_hash"));
	if (proposal != NULL)
		buf_printf(out, " of %s", proposal);
	if (jval_is_true(jval_get(one, "withdrawing")))
		buf_append_text(out, ", which is being withdrawn\n");
	else if (ours)
		buf_append_text(out, ", which is proposed again\n");
	else
		buf_printf(out, ", proposed by %s; who wants it has to propose it again\n",
		           by != NULL ? by : "others");
}

/* A value is recorded as several kinds as a rule, and the same is said of each. */
static bool was_said(const struct jval *list, size_t before, const char *text)
{
	for (size_t i = 0; i <= before; i++) {
		const struct jval *next = jval_get(jval_at(list, i), "next");
		for (size_t k = 0; k < jval_count(next); k++) {
			const char *said = jval_string(jval_at(next, k));
			if (said == text)
				return false;
			if (said != NULL && strcmp(said, text) == 0)
				return true;
		}
	}
	return false;
}

static void next_rows(struct buf *out, const struct jval *list)
{
	for (size_t i = 0; i < jval_count(list); i++) {
		const struct jval *next = jval_get(jval_at(list, i), "next");
		for (size_t k = 0; k < jval_count(next); k++) {
			const char *text = jval_string(jval_at(next, k));
			if (text == NULL || was_said(list, i, text))
				continue;
			buf_append_text(out, "- ");
			text_append(out, text);
			buf_append_text(out, "\n");
		}
	}
}

void render_revoked(struct buf *out, const struct jval *list)
{
	const struct jval *displaced = jval_get(jval_at(list, 0), "displaces");
	struct table table = {0};

	for (size_t i = 0; i < jval_count(list); i++) {
		const struct jval *one = jval_at(list, i);
		const char *status = text_of(one, "status"), *wanted = text_of(one, "wanted");
		struct buf what = {0};
		buf_printf(&what, "%s, wanted %s", status != NULL ? status : "?",
		           wanted != NULL ? wanted : "?");
		table_add(&table, text_of(one, "id"), text_of(one, "target"), text_of(one, "kind"),
		          text_of(one, "value"), buf_text(&what));
		buf_free(&what);
	}
	table_write(out, &table, 0);
	next_rows(out, list);
	for (size_t i = 0; i < jval_count(displaced); i++)
		displaced_row(out, jval_at(displaced, i));
	if (jval_count(displaced) > 0)
		buf_append_text(out,
		                "whichever of them owners execute first uses the nonce; the others "
		                "with it can run no more\n");
}

static void render_decision(struct buf *out, const char *when, const struct jval *answer)
{
	const char *reason = text_of(answer, "reason");

	buf_printf(out, "  %-6s ", when);
	text_append(out, text_of(answer, "allowed"));
	if (reason != NULL && reason[0] != '\0') {
		buf_append_text(out, ": ");
		text_append(out, reason);
	}
	buf_append_text(out, "\n");
}

void render_check_and_preflight(struct buf *out, const struct jval *check)
{
	const struct jval *preflight = jval_get(check, "preflight");

	render_check(out, check);
	if (preflight == NULL)
		return;
	text_append(out, text_of(preflight, "call"));
	buf_append_text(out, " of ");
	text_append(out, text_of(preflight, "contract"));
	buf_append_text(out, ": ");
	text_append(out, text_of(preflight, "allowed"));
	buf_append_text(out, "\n");
	render_decision(out, "latest", jval_get(preflight, "latest"));
	render_decision(out, "final", jval_get(preflight, "final"));
}
