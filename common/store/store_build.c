/* Artifacts and builds: what lies in the watched folders, and the verdict on each. */
#include "common/store/store_build.h"

#include "common/store/store_internal.h"

#include <string.h>

const char *build_status_name(enum build_status status)
{
	switch (status) {
	case BUILD_OPEN:
		return "open";
	case BUILD_ACCEPTED:
		return "accepted";
	case BUILD_REFUSED:
		return "refused";
	}
	return "?";
}

/* --- artifacts --- */

static void bind_measured(struct query *query, const struct measured *measured)
{
	db_bind_int(query, measured->format);
	db_bind_int(query, measured->refused);
	db_bind_text(query, measured->refusal);
	db_bind_int(query, measured->level);
	db_bind_int(query, measured->is_signed);
	db_bind_blob(query, measured->pcrs.pcr0, SHA384_SIZE);
	db_bind_blob(query, measured->pcrs.pcr1, SHA384_SIZE);
	db_bind_blob(query, measured->pcrs.pcr2, SHA384_SIZE);
	if (measured->pcrs.has_pcr8)
		db_bind_blob(query, measured->pcrs.pcr8, SHA384_SIZE);
	else
		db_bind_null(query);
	db_bind_blob(query, measured->value.b, sizeof(measured->value.b));
	db_bind_blob(query, measured->sha256.b, sizeof(measured->sha256.b));
	db_bind_u64(query, measured->size);
	db_bind_text(query, measured->details);
	if (measured->has_blake2b)
		db_bind_blob(query, measured->blake2b, sizeof(measured->blake2b));
	else
		db_bind_null(query);
}

/* The strings of struct measured are a parser's to write, and these are ours. */
static char *text_own(struct query *query, struct arena *arena)
{
	return arena_strdup(arena, db_text(query, arena));
}

/* What an enclave's artifact states follows from its one value. */
static bool has_rows(const struct measured *measured)
{
	return measured->format != FORMAT_UNKNOWN && !format_is_nitro(measured->format);
}

static void write_values(struct store *store, int64_t artifact, const struct measured *measured)
{
	struct query *query =
	        db_query(store->db, "DELETE FROM artifact_value WHERE artifact_id = ?");

	db_bind_int(query, artifact);
	db_run(query);
	for (size_t i = 0; has_rows(measured) && i < measured->value_count; i++) {
		const struct measured_value *value = &measured->values[i];
		query = db_query(store->db,
		                 "INSERT INTO artifact_value (artifact_id, kind, value, level,"
		                 " is_signed, os, app_id) VALUES (?, ?, ?, ?, ?, ?, ?)");
		db_bind_int(query, artifact);
		db_bind_int(query, value->kind);
		db_bind_blob(query, value->value.b, sizeof(value->value.b));
		db_bind_int(query, value->level);
		db_bind_int(query, value->is_signed);
		if (value->is_quoted)
			db_bind_blob(query, value->os.b, sizeof(value->os.b));
		else
			db_bind_null(query);
		if (value->has_app_id)
			db_bind_blob(query, value->app_id, sizeof(value->app_id));
		else
			db_bind_null(query);
		db_run(query);
	}
}

static void read_values(struct store *store, struct artifact *artifact)
{
	struct measured *measured = &artifact->measured;
	struct query *query;

	measured_fill(measured);
	if (!has_rows(measured))
		return;
	query = db_query(store->db, "SELECT v.kind, v.value, v.level, v.is_signed, v.os, v.app_id"
	                            " FROM target t JOIN artifact a ON a.target_id = t.id"
	                            " JOIN artifact_value v ON v.artifact_id = a.id"
	                            " WHERE t.name = ? AND a.path = ? ORDER BY v.id");
	db_bind_text(query, artifact->target);
	db_bind_text(query, artifact->path);
	while (db_step(query)) {
		struct measured_value value = {0};
		value.kind = (enum kind)db_int(query);
		db_fixed(query, value.value.b, sizeof(value.value.b));
		value.level = (enum evidence_level)db_int(query);
		value.is_signed = db_int(query) != 0;
		value.is_quoted = db_fixed(query, value.os.b, sizeof(value.os.b));
		value.has_app_id = db_fixed(query, value.app_id, sizeof(value.app_id));
		if (measured->value_count < MEASURED_VALUES)
			measured->values[measured->value_count++] = value;
	}
}

static void write_subjects(struct store *store, int64_t artifact, const struct signature *signature)
{
	for (size_t i = 0; i < signature->subject_count; i++) {
		const struct signed_subject *subject = &signature->subjects[i];
		struct query *query =
		        db_query(store->db, "INSERT INTO artifact_subject (artifact_id, position,"
		                            " name, sha256) VALUES (?, ?, ?, ?)");
		db_bind_int(query, artifact);
		db_bind_int(query, (int64_t)i);
		db_bind_text(query, subject->name);
		db_bind_blob(query, subject->sha256.b, sizeof(subject->sha256.b));
		db_run(query);
	}
}

static void write_signature(struct store *store, int64_t artifact,
                            const struct signature *signature)
{
	struct query *query =
	        db_query(store->db, "DELETE FROM artifact_signature WHERE artifact_id = ?");

	db_bind_int(query, artifact);
	db_run(query);
	if (signature->kind == SIGNING_NONE)
		return;
	query = db_query(store->db,
	                 "INSERT INTO artifact_signature (artifact_id, kind, is_decided, reason,"
	                 " signer, key_id, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)");
	db_bind_int(query, artifact);
	db_bind_int(query, signature->kind);
	db_bind_int(query, signature->is_decided);
	db_bind_text(query, signature->reason);
	db_bind_text(query, signature->signer);
	db_bind_blob(query, signature->key_id, sizeof(signature->key_id));
	db_bind_blob(query, signature->bytes, sizeof(signature->bytes));
	db_run(query);
	write_subjects(store, artifact, signature);
}

static void read_subjects(struct store *store, struct arena *arena, int64_t artifact,
                          struct signature *out)
{
	struct query *query =
	        db_query(store->db, "SELECT name, sha256 FROM artifact_subject"
	                            " WHERE artifact_id = ? ORDER BY position LIMIT ?");

	db_bind_int(query, artifact);
	db_bind_int(query, SIGNED_SUBJECTS);
	while (db_step(query)) {
		struct signed_subject *subject = &out->subjects[out->subject_count++];
		subject->name = text_own(query, arena);
		db_fixed(query, subject->sha256.b, sizeof(subject->sha256.b));
	}
}

static void read_signature(struct store *store, struct arena *arena, struct artifact *artifact)
{
	struct signature *out = &artifact->measured.signature;
	struct query *query =
	        db_query(store->db, "SELECT a.id, s.kind, s.is_decided, s.reason, s.signer,"
	                            " s.key_id, s.bytes FROM target t JOIN artifact a"
	                            " ON a.target_id = t.id JOIN artifact_signature s"
	                            " ON s.artifact_id = a.id WHERE t.name = ? AND a.path = ?");

	db_bind_text(query, artifact->target);
	db_bind_text(query, artifact->path);
	if (!db_step(query))
		return;
	int64_t id = db_int(query);
	out->kind = (enum signing_kind)db_int(query);
	out->is_decided = db_int(query) != 0;
	out->reason = text_own(query, arena);
	out->signer = text_own(query, arena);
	db_fixed(query, out->key_id, sizeof(out->key_id));
	db_fixed(query, out->bytes, sizeof(out->bytes));
	db_done(query);
	read_subjects(store, arena, id, out);
}

static void mark_unjudged(struct store *store, int64_t target, const char *folder)
{
	struct query *query = db_query(store->db, "INSERT INTO unjudged (target_id, folder)"
	                                          " VALUES (?, ?) ON CONFLICT DO NOTHING");

	db_bind_int(query, target);
	db_bind_text(query, folder);
	db_run(query);
}

void store_artifact_put(struct store *store, const struct artifact *artifact)
{
	int64_t target = store_target_id(store, artifact->target);
	struct query *query = db_query(
	        store->db,
	        "INSERT INTO artifact (target_id, path, folder, device, inode, size, mtime_ns, "
	        "ctime_ns,"
	        " gone, format, refused, refusal, level, is_signed, pcr0, pcr1, pcr2, pcr8, value, "
	        "sha256,"
	        " measured_size, details, blake2b)"
	        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	        " ON CONFLICT (target_id, path) DO UPDATE SET folder = excluded.folder,"
	        " device = excluded.device, inode = excluded.inode, size = excluded.size,"
	        " mtime_ns = excluded.mtime_ns, ctime_ns = excluded.ctime_ns, gone = excluded.gone,"
	        " format = excluded.format, refused = excluded.refused, refusal = excluded.refusal,"
	        " level = excluded.level, is_signed = excluded.is_signed, pcr0 = excluded.pcr0, "
	        "pcr1 = excluded.pcr1,"
	        " pcr2 = excluded.pcr2, pcr8 = excluded.pcr8, value = excluded.value,"
	        " sha256 = excluded.sha256, measured_size = excluded.measured_size,"
	        " details = excluded.details, blake2b = excluded.blake2b RETURNING id");

	db_bind_int(query, target);
	db_bind_text(query, artifact->path);
	db_bind_text(query, artifact->folder);
	db_bind_u64(query, artifact->device);
	db_bind_u64(query, artifact->inode);
	db_bind_u64(query, artifact->size);
	db_bind_int(query, artifact->mtime_ns);
	db_bind_int(query, artifact->ctime_ns);
	db_bind_int(query, artifact->gone);
	bind_measured(query, &artifact->measured);
	if (!db_step(query))
		die("an artifact without an id");
	int64_t id = db_int(query);
	db_done(query);
	write_values(store, id, &artifact->measured);
	write_signature(store, id, &artifact->measured.signature);
	mark_unjudged(store, target, artifact->folder);
}

#define ARTIFACT_COLUMNS                                                                           \
	" t.name, a.path, a.folder, a.device, a.inode, a.size, a.mtime_ns, a.ctime_ns, a.gone,"    \
	" a.format, a.refused, a.refusal, a.level, a.is_signed, a.pcr0, a.pcr1, a.pcr2, a.pcr8, "  \
	"a.value, "                                                                                \
	"a.sha256,"                                                                                \
	" a.measured_size, a.details, a.blake2b "

static void read_measured(struct query *query, struct arena *arena, struct measured *out)
{
	out->format = (enum format)db_int(query);
	out->refused = db_int(query) != 0;
	out->refusal = text_own(query, arena);
	out->level = (enum evidence_level)db_int(query);
	out->is_signed = db_int(query) != 0;
	db_fixed(query, out->pcrs.pcr0, SHA384_SIZE);
	db_fixed(query, out->pcrs.pcr1, SHA384_SIZE);
	db_fixed(query, out->pcrs.pcr2, SHA384_SIZE);
	out->pcrs.has_pcr8 = db_fixed(query, out->pcrs.pcr8, SHA384_SIZE);
	db_fixed(query, out->value.b, sizeof(out->value.b));
	db_fixed(query, out->sha256.b, sizeof(out->sha256.b));
	out->size = db_u64(query);
	out->details = text_own(query, arena);
	out->has_blake2b = db_fixed(query, out->blake2b, sizeof(out->blake2b));
}

static void read_artifact(struct query *query, struct arena *arena, struct artifact *out)
{
	out->target = db_text(query, arena);
	out->path = db_text(query, arena);
	out->folder = db_text(query, arena);
	out->device = db_u64(query);
	out->inode = db_u64(query);
	out->size = db_u64(query);
	out->mtime_ns = db_int(query);
	out->ctime_ns = db_int(query);
	out->gone = db_int(query) != 0;
	read_measured(query, arena, &out->measured);
}

int store_artifact_get(struct store *store, struct arena *arena, const char *target,
                       const char *path, struct artifact *out)
{
	struct query *query =
	        db_query(store->db, "SELECT" ARTIFACT_COLUMNS
	                            "FROM artifact a JOIN target t ON t.id = a.target_id"
	                            " WHERE t.name = ? AND a.path = ?");

	*out = (struct artifact){0};
	db_bind_text(query, target);
	db_bind_text(query, path);
	if (!db_step(query))
		return ERR_NOT_FOUND;
	read_artifact(query, arena, out);
	db_done(query);
	read_values(store, out);
	read_signature(store, arena, out);
	return 0;
}

void store_artifact_gone(struct store *store, const char *target, const char *path)
{
	struct arena arena = {0};
	int64_t target_id = store_target_id(store, target);
	struct query *query =
	        db_query(store->db, "UPDATE artifact SET gone = 1 WHERE target_id = ? AND path = ?"
	                            " AND gone = 0 RETURNING folder");

	db_bind_int(query, target_id);
	db_bind_text(query, path);
	const char *folder = db_step(query) ? db_text(query, &arena) : NULL;
	if (folder != NULL) {
		db_run(query);
		mark_unjudged(store, target_id, folder);
	}
	arena_free(&arena);
}

void store_artifact_list(struct store *store, struct arena *arena, const char *target,
                         const char *folder, struct artifact_list *out)
{
	struct query *query =
	        db_query(store->db, "SELECT" ARTIFACT_COLUMNS
	                            "FROM target t JOIN artifact a ON t.id = a.target_id"
	                            " WHERE t.name = ? AND a.folder = ? AND a.gone = 0"
	                            " ORDER BY a.path");

	*out = (struct artifact_list){0};
	db_bind_text(query, target);
	db_bind_text(query, folder);
	while (db_step(query)) {
		out->items = db_list_room(arena, out->items, out->count, sizeof(*out->items));
		read_artifact(query, arena, &out->items[out->count++]);
	}
	for (size_t i = 0; i < out->count; i++)
		read_values(store, &out->items[i]);
	for (size_t i = 0; i < out->count; i++)
		if (out->items[i].measured.format >= FORMAT_SIGSTORE)
			read_signature(store, arena, &out->items[i]);
}

static void read_paths(struct query *query, struct arena *arena, struct path_list *out)
{
	*out = (struct path_list){0};
	while (db_step(query)) {
		out->items = db_list_room(arena, out->items, out->count, sizeof(*out->items));
		out->items[out->count++] = db_text(query, arena);
	}
}

void store_artifact_paths(struct store *store, struct arena *arena, const char *target,
                          struct path_list *out)
{
	struct query *query = db_query(
	        store->db, "SELECT a.path FROM target t JOIN artifact a ON a.target_id = t.id"
	                   " WHERE t.name = ? AND a.gone = 0 ORDER BY a.path");

	db_bind_text(query, target);
	read_paths(query, arena, out);
}

void store_folder_unjudged(struct store *store, struct arena *arena, const char *target,
                           struct path_list *out)
{
	struct query *query = db_query(
	        store->db, "SELECT u.folder FROM target t JOIN unjudged u ON u.target_id = t.id"
	                   " WHERE t.name = ? ORDER BY u.folder");

	db_bind_text(query, target);
	read_paths(query, arena, out);
}

void store_folder_rules(struct store *store, const char *target, const struct hash32 *rules)
{
	int64_t target_id = store_target_id(store, target);
	struct query *query = db_query(
	        store->db, "UPDATE target SET rules = ?2 WHERE id = ?1 AND rules IS NOT ?2");

	db_bind_int(query, target_id);
	db_bind_blob(query, rules->b, sizeof(rules->b));
	db_run(query);
	if (db_changes(store->db) == 0)
		return;
	query = db_query(
	        store->db,
	        "INSERT INTO unjudged (target_id, folder)"
	        " SELECT DISTINCT target_id, folder FROM artifact"
	        " WHERE target_id = ? AND gone = 0 AND format <> 0 ON CONFLICT DO NOTHING");
	db_bind_int(query, target_id);
	db_run(query);
}

void store_folder_judged(struct store *store, const char *target, const char *folder)
{
	int64_t target_id = store_target_id(store, target);
	struct query *query =
	        db_query(store->db, "DELETE FROM unjudged WHERE target_id = ? AND folder = ?");

	db_bind_int(query, target_id);
	db_bind_text(query, folder);
	db_run(query);
}

/* --- builds --- */

#define BUILD_COLUMNS                                                                              \
	" b.id, t.name, b.folder, b.eif, b.status, b.reason, b.value, b.first_seen, "              \
	"b.last_change "

static void read_build(struct query *query, struct arena *arena, struct build *out)
{
	out->id.n = db_int(query);
	out->target = db_text(query, arena);
	out->folder = db_text(query, arena);
	out->eif = db_text(query, arena);
	out->status = (enum build_status)db_int(query);
	out->reason = db_text(query, arena);
	out->has_value = db_fixed(query, out->value.b, sizeof(out->value.b));
	out->first_seen = db_wall(query);
	out->last_change = db_wall(query);
}

static bool build_find(struct store *store, struct arena *arena, const struct build *like,
                       struct build *out)
{
	struct query *query = db_query(
	        store->db, "SELECT" BUILD_COLUMNS "FROM build b JOIN target t ON t.id = b.target_id"
	                   " WHERE t.name = ? AND b.folder = ? AND b.eif = ?");

	*out = (struct build){0};
	db_bind_text(query, like->target);
	db_bind_text(query, like->folder);
	db_bind_text(query, like->eif);
	if (!db_step(query))
		return false;
	read_build(query, arena, out);
	db_done(query);
	return true;
}

static int64_t write_build(struct store *store, const struct build *build)
{
	int64_t target = store_target_id(store, build->target);
	struct query *query = db_query(
	        store->db,
	        "INSERT INTO build (target_id, folder, eif, status, reason, value, first_seen,"
	        " last_change) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
	        " ON CONFLICT (target_id, folder, eif) DO UPDATE SET status = excluded.status,"
	        " reason = excluded.reason, value = excluded.value,"
	        " last_change = excluded.last_change RETURNING id");

	db_bind_int(query, target);
	db_bind_text(query, build->folder);
	db_bind_text(query, build->eif);
	db_bind_int(query, build->status);
	db_bind_text(query, build->reason);
	if (build->has_value)
		db_bind_blob(query, build->value.b, sizeof(build->value.b));
	else
		db_bind_null(query);
	db_bind_int(query, build->first_seen.ms != 0 ? build->first_seen.ms : store->now.ms);
	db_bind_int(query, build->last_change.ms != 0 ? build->last_change.ms : store->now.ms);
	if (!db_step(query))
		die("a build without an id");
	int64_t id = db_int(query);
	if (db_step(query))
		die("a build with two ids");
	return id;
}

static bool same_verdict(const struct build *a, const struct build *b)
{
	if (a->status != b->status || a->has_value != b->has_value ||
	    (a->has_value && !hash32_equal(&a->value, &b->value)))
		return false;
	return a->reason == b->reason ||
	       (a->reason != NULL && b->reason != NULL && strcmp(a->reason, b->reason) == 0);
}

struct build_id store_build_put(struct store *store, const struct build *build)
{
	struct arena arena = {0};
	struct build before;
	char name[STORE_NAME_SIZE];
	bool known = build_find(store, &arena, build, &before);
	struct build_id id = {write_build(store, build)};

	if (!known || !same_verdict(&before, build))
		store_event_add(store, "build", store_name(name, 'b', id.n), "%s%s%s%s: %s%s%s",
		                build->target, ": ", build->folder,
		                build->eif[0] != '\0' ? arena_printf(&arena, "/%s", build->eif)
		                                      : "",
		                build_status_name(build->status), build->reason != NULL ? ": " : "",
		                build->reason != NULL ? build->reason : "");
	arena_free(&arena);
	return id;
}

static void read_builds(struct query *query, struct arena *arena, struct build_list *out)
{
	*out = (struct build_list){0};
	while (db_step(query)) {
		out->items = db_list_room(arena, out->items, out->count, sizeof(*out->items));
		read_build(query, arena, &out->items[out->count++]);
	}
}

void store_build_folder(struct store *store, struct arena *arena, const char *target,
                        const char *folder, struct build_list *out)
{
	struct query *query = db_query(
	        store->db, "SELECT" BUILD_COLUMNS "FROM target t JOIN build b ON b.target_id = t.id"
	                   " WHERE t.name = ? AND b.folder = ? ORDER BY b.id");

	db_bind_text(query, target);
	db_bind_text(query, folder);
	read_builds(query, arena, out);
}

void store_build_list(struct store *store, struct arena *arena, const char *target,
                      struct build_list *out)
{
	struct query *query =
	        db_query(store->db, "SELECT" BUILD_COLUMNS "FROM build b CROSS JOIN target t"
	                            " WHERE t.id = b.target_id"
	                            " AND (?1 IS NULL OR t.name = ?1) ORDER BY b.id");

	db_bind_text(query, target);
	read_builds(query, arena, out);
}
