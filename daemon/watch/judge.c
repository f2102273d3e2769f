#include "daemon/watch/judge.h"

#include "common/base/log.h"
#include "common/measure/build.h"
#include "common/store/store_build.h"
#include "common/store/alarm.h"
#include "common/store/store_signature.h"
#include "daemon/watch/worth.h"

#include <stdio.h>
#include <string.h>

/* Beginnings of reasons, by which a hold is known again, beside MEASUREMENT_HELD_FOR_EVIDENCE. The
 * first ends when the build is a good one again; the second began after people were asked. */
#define HELD_FOR_BUILD "build refused: "
#define HELD_FOR_CONTRADICTION "contradicted after drafting: "

struct judgement {
	struct store *store;
	const struct config_target *target;
	const char *folder;
	struct arena *arena;
	struct artifact_list artifacts;
	struct build_artifact *files; /* the same, as the verdict sees them */
	struct build_verdicts verdicts;
	struct build_list before; /* what stood in the store */
	bool changed;
};

/* --- evidence -----------------------------------------------------------------------------------
 */

/* What the parser found, what the file is, and what was decided for this target. */
static const char *evidence_details(struct arena *arena, const struct measured *measured,
                                    const struct checks *checks)
{
	struct jval *details = NULL;
	struct buf text = {0};
	const char *out;

	if (measured->details != NULL &&
	    jval_parse(&details, bytes_text(measured->details), NULL) != 0)
		details = NULL;
	if (!jval_is_object(details)) {
		jval_free(details);
		details = jval_object();
		if (format_is_nitro(measured->format))
			pcrs_add(details, &measured->pcrs);
	}
	checks_append(details, checks);
	jval_add_string(details, "format", format_name(measured->format));
	jval_add_int(details, "size", (int64_t)measured->size);
	jval_write(&text, details, JVAL_COMPACT);
	out = arena_text(arena, buf_bytes(&text));
	buf_free(&text);
	jval_free(details);
	return out;
}

/* A list of checksums is hashed itself once all that it lists was. */
static void judge_files(struct judgement *j, size_t index, struct checks *checks,
                        struct worth *worth)
{
	const char *which;

	if (j->files[index].measured->format != FORMAT_OS_CHECKSUMS)
		return;
	if (build_os_files(j->arena, j->files, j->artifacts.count, index, &which) !=
	    OS_FILES_SAME) {
		checks_add(checks, "files", CHECK_UNDECIDED, "%s is listed and not beside it",
		           which);
		return;
	}
	checks_add(checks, "files", CHECK_PASSED, "every listed file was hashed");
	worth->level = LEVEL_RECOMPUTED;
}

static struct measurement_id put_evidence(struct judgement *j, size_t index,
                                          const struct measured_value *value,
                                          const struct worth *worth, const struct checks *checks)
{
	const struct artifact *artifact = &j->artifacts.items[index];
	bool created;
	struct evidence evidence = {
	        .level = worth->level,
	        .is_signed = worth->is_signed,
	        .source = "folder",
	        .artifact = artifact->path,
	        .artifact_sha256 = artifact->measured.sha256,
	        .details = evidence_details(j->arena, &artifact->measured, checks),
	};
	return store_measurement_record(j->store, j->target->name, value->kind, &value->value,
	                                &evidence, &created);
}

static struct measurement_id record_value(struct judgement *j, size_t index,
                                          const struct measured_value *value)
{
	struct checks checks = {.arena = j->arena};
	struct worth worth;

	worth_of(j->target, value, &checks, &worth);
	judge_files(j, index, &checks, &worth);
	return put_evidence(j, index, value, &worth, &checks);
}

/* The signature file is evidence of its own for whatever it is over. */
static struct measurement_id record_signed(struct judgement *j,
                                           const struct build_signature *signature,
                                           const struct measured_value *value)
{
	const struct worth worth = {.level = LEVEL_CLAIMED, .is_signed = signature->is_verified};
	struct measurement_id id =
	        put_evidence(j, signature->index, value, &worth, &signature->checks);

	if (signature->is_verified)
		store_signature_put(j->store, id, &j->target->signing.digest);
	return id;
}

/* --- holding and lifting
 * -------------------------------------------------------------------------- */

static bool begins_with(const char *text, const char *start)
{
	return text != NULL && strncmp(text, start, strlen(start)) == 0;
}

/* Whether the measurement may go on by itself, as far as its evidence is concerned. */
static void weigh(struct judgement *j, struct measurement_id id, const char *undecided)
{
	const struct evidence_demand demand = {j->target->min_evidence, &j->target->signing};
	struct measurement m;

	if (store_measurement_get(j->store, j->arena, id, &m) != 0)
		die("m%lld was just recorded and is not there", (long long)id.n);
	if (!m.wanted)
		return; /* its removal does not depend on what is found */
	bool for_build = begins_with(m.reason, HELD_FOR_BUILD);
	const char *held_for = for_build ? HELD_FOR_BUILD : MEASUREMENT_HELD_FOR_EVIDENCE;
	bool is_ours = m.status == MEASUREMENT_HELD && begins_with(m.reason, held_for);
	const char *lacks = store_measurement_lacks(j->store, j->arena, &m, &demand, undecided);
	if (lacks != NULL && (m.status == MEASUREMENT_NEW || is_ours))
		store_measurement_set_status(j->store, id, MEASUREMENT_HELD, lacks);
	else if (lacks == NULL)
		store_measurement_lift(j->store, id, held_for,
		                       arena_printf(j->arena, "%s%s",
		                                    for_build ? "its build is accepted, evidence "
		                                              : "stronger evidence: ",
		                                    evidence_level_name(m.level)));
}

/* A Nitro value stands for the OS image and, as there is no other, for the compose hash. */
static bool has_kind(const struct judgement *j, const struct measured *measured, enum kind kind)
{
	return !format_is_nitro(measured->format) || kind == KIND_OS_IMAGE || j->target->has_app;
}

/* The measurements of one kind that a build made or confirmed. */
struct recorded {
	struct measurement_id *items;
	size_t count;
};

static bool is_recorded_as_signature(const struct build_verdict *verdict, size_t index)
{
	for (size_t i = 0; i < verdict->signature_count; i++)
		if (verdict->signatures[i].index == index && verdict->signatures[i].cover_count > 0)
			return true;
	return false;
}

static void record_files(struct judgement *j, const struct build_verdict *verdict, enum kind kind,
                         struct recorded *out)
{
	for (size_t i = 0; i < verdict->artifact_count; i++) {
		size_t index = verdict->artifacts[i];
		const struct measured *measured = &j->artifacts.items[index].measured;
		if (is_recorded_as_signature(verdict, index))
			continue;
		for (size_t k = 0; k < measured->value_count; k++)
			if (measured->values[k].kind == kind && has_kind(j, measured, kind))
				out->items[out->count++] =
				        record_value(j, index, &measured->values[k]);
	}
}

/* For each value of what a signature is over, once. */
static void record_signature(struct judgement *j, const struct build_signature *signature,
                             enum kind kind, struct recorded *out)
{
	size_t before = out->count;

	for (size_t i = 0; i < signature->cover_count; i++) {
		const struct measured *measured = j->files[signature->covers[i]].measured;
		for (size_t k = 0; k < measured->value_count; k++) {
			if (measured->values[k].kind != kind || !has_kind(j, measured, kind))
				continue;
			struct measurement_id id =
			        record_signed(j, signature, &measured->values[k]);
			bool known = false;
			for (size_t m = before; m < out->count; m++)
				known = known || out->items[m].n == id.n;
			if (!known)
				out->items[out->count++] = id;
		}
	}
}

/* Adds every file of the build as evidence; the first one makes the measurement. */
static void record_kind(struct judgement *j, const struct build_verdict *verdict, enum kind kind)
{
	size_t files = verdict->artifact_count * (1 + verdict->signature_count);
	struct recorded done = {
	        .items = arena_array(j->arena, files * MEASURED_VALUES + 1, sizeof(*done.items))};

	record_files(j, verdict, kind, &done);
	for (size_t i = 0; i < verdict->signature_count; i++)
		record_signature(j, &verdict->signatures[i], kind, &done);
	/* Only with all its evidence: the weakest piece may come first. */
	for (size_t i = 0; i < done.count; i++)
		weigh(j, done.items[i], verdict->undecided);
	j->changed = j->changed || done.count > 0;
}

static void accept(struct judgement *j, const struct build_verdict *verdict)
{
	for (enum kind kind = KIND_OS_IMAGE; kind <= KIND_LAST; kind++)
		record_kind(j, verdict, kind);
}

/* What one of its files states belongs to another app: refused, like any contradiction. */
static void refuse_strangers(struct judgement *j, struct build_verdict *verdict)
{
	for (size_t i = 0; i < verdict->artifact_count && !verdict->refused; i++) {
		const struct build_artifact *file = &j->files[verdict->artifacts[i]];
		for (size_t k = 0; k < file->measured->value_count && !verdict->refused; k++) {
			struct checks checks = {.arena = j->arena};
			struct worth worth;
			worth_of(j->target, &file->measured->values[k], &checks, &worth);
			verdict->refused = worth.is_wrong;
			if (worth.is_wrong)
				verdict->reason = arena_printf(j->arena, "%s: %s", file->name,
				                               checks_first_failed(&checks)->text);
		}
	}
}

/* --- contradictions -----------------------------------------------------------------------------
 */

/* Another folder's good build keeps carrying the value: what is broken here cannot poison it. */
static bool is_carried_elsewhere(struct judgement *j, const struct hash32 *value)
{
	struct build_list builds;

	store_build_list(j->store, j->arena, j->target->name, &builds);
	for (size_t i = 0; i < builds.count; i++) {
		const struct build *build = &builds.items[i];

		if (build->status == BUILD_ACCEPTED && build->has_value &&
		    hash32_equal(&build->value, value) && strcmp(build->folder, j->folder) != 0)
			return true;
	}
	return false;
}

static void alarm_about(struct judgement *j, struct measurement_id id, const char *reason)
{
	char name[32];

	snprintf(name, sizeof(name), "m%lld", (long long)id.n);
	store_alarm(j->store, ALARM_CONTRADICTION, name, HELD_FOR_CONTRADICTION "%s", reason);
}

static void contradict(struct judgement *j, const struct measurement *m, const char *reason)
{
	if (!m->wanted)
		return;
	switch (m->status) {
	case MEASUREMENT_NEW:
		store_measurement_set_status(j->store, m->id, MEASUREMENT_HELD,
		                             arena_printf(j->arena, HELD_FOR_BUILD "%s", reason));
		break;
	case MEASUREMENT_PROPOSED:
		alarm_about(j, m->id, reason);
		store_measurement_set_status(
		        j->store, m->id, MEASUREMENT_HELD,
		        arena_printf(j->arena, HELD_FOR_CONTRADICTION "%s", reason));
		break;
	case MEASUREMENT_AUTHORIZED:
		alarm_about(j, m->id, reason);
		return;
	case MEASUREMENT_HELD:
	case MEASUREMENT_REVOKED:
	case MEASUREMENT_REFUSED:
		return;
	}
	j->changed = true;
}

static bool is_accepted_now(const struct judgement *j, const struct hash32 *value)
{
	for (size_t i = 0; i < j->verdicts.count; i++) {
		const struct build_verdict *verdict = &j->verdicts.items[i];

		if (!verdict->refused && verdict->has_value && hash32_equal(&verdict->value, value))
			return true;
	}
	return false;
}

static bool states(const struct measured *measured, const struct hash32 *value)
{
	for (size_t i = 0; i < measured->value_count; i++)
		if (hash32_equal(&measured->values[i].value, value))
			return true;
	return false;
}

/* The refused verdict one of whose files still says this value, or NULL. */
static const struct build_verdict *refused_now(const struct judgement *j,
                                               const struct hash32 *value)
{
	for (size_t i = 0; i < j->verdicts.count; i++) {
		const struct build_verdict *verdict = &j->verdicts.items[i];

		for (size_t k = 0; verdict->refused && k < verdict->artifact_count; k++) {
			const struct artifact *artifact =
			        &j->artifacts.items[verdict->artifacts[k]];

			if (states(&artifact->measured, value))
				return verdict;
		}
	}
	return NULL;
}

/* What was accepted from this folder and is now contradicted in it. A value that nothing here
 * speaks of any more was replaced by another build: that is no contradiction. */
static void look_back(struct judgement *j, const struct build *before)
{
	const struct build_verdict *verdict;
	struct measurement m;

	if (before->status != BUILD_ACCEPTED || !before->has_value ||
	    is_accepted_now(j, &before->value))
		return;
	verdict = refused_now(j, &before->value);
	if (verdict == NULL || is_carried_elsewhere(j, &before->value))
		return;
	for (enum kind kind = KIND_OS_IMAGE; kind <= KIND_LAST; kind++) {
		if (store_measurement_find(j->store, j->arena, j->target->name, kind,
		                           &before->value, &m) == 0)
			contradict(j, &m, verdict->reason);
	}
}

/* --- builds
 * ----------------------------------------------------------------------------------------- */

static const struct build *build_before(const struct judgement *j, const char *eif)
{
	for (size_t i = 0; i < j->before.count; i++) {
		if (strcmp(j->before.items[i].eif, eif) == 0)
			return &j->before.items[i];
	}
	return NULL;
}

static bool same_build(const struct build *a, const struct build *b)
{
	return a->status == b->status && a->has_value == b->has_value &&
	       (!a->has_value || hash32_equal(&a->value, &b->value)) &&
	       (a->reason == b->reason ||
	        (a->reason != NULL && b->reason != NULL && strcmp(a->reason, b->reason) == 0));
}

static void put_build(struct judgement *j, struct build build)
{
	const struct build *before = build_before(j, build.eif);
	char text[HASH32_TEXT_SIZE], name[32];
	const char *slash = *build.eif != '\0' ? "/" : "";

	if (before != NULL && same_build(before, &build))
		return;
	build.target = j->target->name;
	build.folder = j->folder;
	if (before != NULL)
		build.first_seen = before->first_seen;
	struct build_id id = store_build_put(j->store, &build);
	snprintf(name, sizeof(name), "b%lld", (long long)id.n);
	if (build.status == BUILD_REFUSED)
		store_alarm(j->store, ALARM_BUILD_REFUSED, name, "%s: %s%s%s: build refused: %s",
		            j->target->name, j->folder, slash, build.eif, build.reason);
	else if (build.status == BUILD_ACCEPTED)
		log_info(j->target->name, "%s%s%s: build accepted: %s", j->folder, slash, build.eif,
		         hash32_text(text, &build.value));
	j->changed = true;
}

static void put_verdict(struct judgement *j, const struct build_verdict *verdict)
{
	put_build(j, (struct build){
	                     .eif = verdict->eif,
	                     .status = verdict->refused     ? BUILD_REFUSED
	                               : verdict->has_value ? BUILD_ACCEPTED
	                                                    : BUILD_OPEN,
	                     .reason = verdict->refused ? verdict->reason : NULL,
	                     .has_value = verdict->has_value,
	                     .value = verdict->value,
	             });
	if (!verdict->refused && verdict->has_value)
		accept(j, verdict);
}

/* A refused build of files that are gone, or belong to another build now, refuses nothing. */
static void close_build(struct judgement *j, const struct build *before)
{
	struct build closed = *before;

	for (size_t i = 0; i < j->verdicts.count; i++) {
		if (strcmp(j->verdicts.items[i].eif, before->eif) == 0)
			return;
	}
	if (before->status != BUILD_REFUSED)
		return;
	closed.status = BUILD_OPEN;
	closed.reason = "its files are gone or make another build";
	put_build(j, closed);
}

static const char *name_in(const char *folder, const char *path)
{
	size_t len = strlen(folder);

	return path + len + (path[len] == '/');
}

bool judge_folder(struct store *store, const struct config_target *target, const char *folder)
{
	struct arena arena = {0};
	struct judgement j = {.store = store, .target = target, .folder = folder, .arena = &arena};
	struct build_artifact *files;

	store_artifact_list(store, &arena, target->name, folder, &j.artifacts);
	store_build_folder(store, &arena, target->name, folder, &j.before);
	files = arena_array(&arena, j.artifacts.count, sizeof(*files));
	for (size_t i = 0; i < j.artifacts.count; i++) {
		files[i].name = name_in(folder, j.artifacts.items[i].path);
		files[i].measured = &j.artifacts.items[i].measured;
	}
	j.files = files;
	build_judge(&arena, files, j.artifacts.count, &target->signing, &j.verdicts);
	for (size_t i = 0; i < j.verdicts.count; i++)
		refuse_strangers(&j, &j.verdicts.items[i]);
	for (size_t i = 0; i < j.before.count; i++)
		look_back(&j, &j.before.items[i]);
	for (size_t i = 0; i < j.verdicts.count; i++)
		put_verdict(&j, &j.verdicts.items[i]);
	for (size_t i = 0; i < j.before.count; i++)
		close_build(&j, &j.before.items[i]);
	store_folder_judged(store, target->name, folder);
	arena_free(&arena);
	return j.changed;
}

struct hash32 judge_rules(const struct config_target *target)
{
	struct buf text = {0};

	buf_printf(&text, "2 %d %d ", (int)target->min_evidence, target->has_app);
	buf_append(&text, target->app.b, sizeof(target->app.b));
	buf_append(&text, target->signing.digest.b, sizeof(target->signing.digest.b));
	for (size_t i = 0; i < target->known_os.count; i++)
		buf_append(&text, target->known_os.items[i].b, sizeof(target->known_os.items[i].b));
	struct hash32 rules = sha256(buf_bytes(&text));
	buf_free(&text);
	return rules;
}
