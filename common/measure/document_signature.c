/* Signature files: attestations in Sigstore bundles, and minisign signatures. What they are over is
 * for the verdict on the folder (build_signed.c): here is only what their own bytes tell. */
#include "common/base/clock.h"
#include "common/measure/document.h"
#include "common/measure/sigstore.h"

#include <string.h>

static bool has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), tail = strlen(suffix);

	return len > tail && strcasecmp(name + len - tail, suffix) == 0;
}

static const struct signing *rule_of(const struct measure_how *how, enum signing_kind kind)
{
	return how->signing != NULL && how->signing->kind == kind ? how->signing : NULL;
}

/* --- Sigstore -----------------------------------------------------------------------------------
 */

bool document_claims_sigstore(const char *name)
{
	return strcasecmp(name, "measurements.sigstore.json") == 0;
}

static bool mentions(struct bytes text, const char *what)
{
	return memmem(text.data, text.len, what, strlen(what)) != NULL;
}

/* A signature over a file (cosign sign-blob) is a bundle, and no attestation. */
static bool is_attestation(struct bytes text)
{
	struct jval *document = NULL;

	if (!mentions(text, "vnd.dev.sigstore.bundle") && !mentions(text, "base64Signature"))
		return false;
	bool is = jval_parse(&document, text, NULL) == 0 && sigstore_is(document) &&
	          jval_get(document, "messageSignature") == NULL;
	jval_free(document);
	return is;
}

/* What a name and the rule make of a text that is no attestation: broken, or somebody else's. */
static bool is_broken_one(struct bytes text, const char *name, const struct signing *rule)
{
	if (document_claims_sigstore(name))
		return true;
	return rule != NULL && has_suffix(name, ".sigstore.json") &&
	       !mentions(text, "messageSignature");
}

/* Texts of a certificate or payload have any length, and answers have not. */
enum { MOST_SHOWN = 500 };

static char *shortened(struct arena *arena, const char *text)
{
	return text != NULL ? arena_printf(arena, "%.*s", MOST_SHOWN, text) : NULL;
}

static void add_short(struct jval *object, const char *key, const char *text)
{
	struct arena arena = {0};

	jval_add_string(object, key, shortened(&arena, text));
	arena_free(&arena);
}

static struct jval *subjects_json(const struct signature *signature)
{
	struct jval *list = jval_array();

	for (size_t i = 0; i < signature->subject_count; i++) {
		struct jval *one = jval_object();
		char digest[HASH32_TEXT_SIZE];
		jval_add_string(one, "name", signature->subjects[i].name);
		jval_add_string(one, "sha256",
		                hash32_text(digest, &signature->subjects[i].sha256) + strlen("0x"));
		jval_push(list, one);
	}
	return list;
}

static void bundle_details(struct arena *arena, const struct sigstore *sigstore,
                           struct measured *out)
{
	struct jval *details = jval_object();
	char when[WALL_TEXT_SIZE];

	if (sigstore->has_value)
		pcrs_add(details, &sigstore->pcrs);
	jval_add_string(details, "layout", sigstore->legacy ? "cosign v2" : "bundle");
	add_short(details, "predicate_type", sigstore->predicate_type);
	add_short(details, "issuer", sigstore->issuer);
	add_short(details, "workflow", sigstore->workflow);
	if (sigstore->logged_at > 0)
		jval_add_string(details, "logged_at",
		                wall_text_seconds(when, (uint64_t)sigstore->logged_at));
	jval_add(details, "subjects", subjects_json(&out->signature));
	jval_add(details, "checks", checks_json(&sigstore->checks));
	document_details(arena, out, details);
}

static void take_bundle(struct arena *arena, const struct sigstore *sigstore, struct measured *out)
{
	struct signature *signature = &out->signature;
	const struct check *obstacle = sigstore_obstacle(&sigstore->checks);

	signature->is_decided = sigstore->verdict == SIGSTORE_VERIFIED;
	if (obstacle != NULL)
		signature->reason = arena_printf(arena, "%s: %s", obstacle->name, obstacle->text);
	signature->signer = shortened(arena, sigstore->workflow);
	for (size_t i = 0; i < sigstore->subject_count; i++)
		signature->subjects[signature->subject_count++] = (struct signed_subject){
		        shortened(arena, sigstore->subject_names[i]), sigstore->subjects[i]};
	if (sigstore->has_value) {
		out->pcrs = sigstore->pcrs;
		out->value = sigstore->value;
	}
	bundle_details(arena, sigstore, out);
	if (sigstore->verdict == SIGSTORE_REFUSED)
		document_refuse(arena, out, "%s", signature->reason);
}

static int verify_bundle(struct arena *arena, struct bytes text, const struct signing *rule,
                         struct sigstore *out, struct error *error)
{
	struct sigstore_expect expect = {.subjects_later = true};
	struct sigstore_root *root = NULL;

	if (rule != NULL) {
		expect.issuer = rule->issuer;
		expect.workflow = rule->workflow;
	}
	if (rule != NULL && rule->root.len > 0) {
		root = arena_alloc(arena, sizeof(*root));
		int rc = sigstore_root_read(arena, rule->root, root, error);
		if (rc != 0)
			return error_prefix(error, "the configured trusted root");
	}
	int rc = sigstore_verify(arena, text, root, &expect, out, error);
	if (rc == 0 && out->subject_count > SIGNED_SUBJECTS)
		rc = error_set(error, ERR_LIMIT, "payload: subject: %zu, expected at most %d",
		               out->subject_count, SIGNED_SUBJECTS);
	return rc;
}

void document_sigstore(struct arena *arena, struct bytes text, const struct measure_how *how,
                       struct measured *out)
{
	const struct signing *rule = rule_of(how, SIGNING_SIGSTORE);
	bool named = document_claims_sigstore(how->name), ours = is_attestation(text);
	const char *type = rule != NULL ? rule->predicate_type : SIGSTORE_MEASUREMENTS_TYPE;
	struct sigstore sigstore;
	struct error error;

	if (!ours && !is_broken_one(text, how->name, rule))
		return;
	struct measured found = {.format = FORMAT_SIGSTORE,
	                         .level = LEVEL_CLAIMED,
	                         .signature.kind = SIGNING_SIGSTORE};
	int rc = verify_bundle(arena, text, rule, &sigstore, &error);
	if (rc != 0) {
		document_refuse(arena, &found, "%s", error.text);
		*out = found;
		return;
	}
	bool right_type = strcmp(sigstore.predicate_type, type) == 0;
	if (!right_type && !named)
		return; /* about something else: a list of parts, a scan */
	if (!right_type)
		checks_add(&sigstore.checks, SIGSTORE_CHECK_TYPE, CHECK_FAILED,
		           "%.200s, expected %.200s", sigstore.predicate_type, type);
	if (!right_type)
		sigstore.verdict = SIGSTORE_REFUSED;
	take_bundle(arena, &sigstore, &found);
	*out = found;
}

/* --- minisign -----------------------------------------------------------------------------------
 */

bool document_claims_minisign(const char *name)
{
	return has_suffix(name, ".minisig");
}

/* Leaves it undecided when one of the checks is. */
static void check_key(const struct minisign_signature *parsed, const struct signing *rule,
                      struct checks *checks)
{
	char id[MINISIGN_ID_TEXT];
	struct error error;
	const struct minisign_key *key = rule != NULL ? signing_key(rule, parsed->id) : NULL;

	minisign_id_text(id, parsed->id);
	if (rule == NULL) {
		checks_add(checks, "key", CHECK_UNDECIDED, "%s, and no public key is configured",
		           id);
		return;
	}
	if (key == NULL) {
		checks_add(checks, "key", CHECK_FAILED,
		           "signed with key %s, which is not among public_keys", id);
		return;
	}
	checks_add(checks, "key", CHECK_PASSED, "%s", id);
	checks_add_rc(checks, "trusted-comment", minisign_verify_comment(parsed, key, &error),
	              &error, "signed with the same key");
	if (!parsed->prehashed)
		checks_add(checks, "kind", CHECK_UNDECIDED,
		           "a signature of the old kind, over the file instead of its hash; sign "
		           "without -l");
}

static const struct check *first_undecided(const struct checks *checks)
{
	for (size_t i = 0; i < checks->count; i++)
		if (checks->items[i].result == CHECK_UNDECIDED)
			return &checks->items[i];
	return NULL;
}

static void take_signature(struct arena *arena, const struct minisign_signature *parsed,
                           const struct checks *checks, struct measured *out)
{
	const struct check *failed = checks_first_failed(checks), *open = first_undecided(checks);
	struct signature *signature = &out->signature;
	struct jval *details = jval_object();
	char id[MINISIGN_ID_TEXT];

	signature->signer = arena_strdup(arena, minisign_id_text(id, parsed->id));
	signature->is_decided = failed == NULL && open == NULL;
	memcpy(signature->key_id, parsed->id, sizeof(signature->key_id));
	memcpy(signature->bytes, parsed->signature, sizeof(signature->bytes));
	if (failed != NULL)
		open = failed;
	if (open != NULL)
		signature->reason = arena_printf(arena, "%s: %s", open->name, open->text);
	jval_add_string(details, "key", id);
	jval_add_string(details, "trusted_comment", parsed->trusted_comment);
	jval_add(details, "checks", checks_json(checks));
	document_details(arena, out, details);
	if (failed != NULL)
		document_refuse(arena, out, "%s", signature->reason);
}

void document_minisign(struct arena *arena, struct bytes text, const struct measure_how *how,
                       struct measured *out)
{
	const struct signing *rule = rule_of(how, SIGNING_ED25519);
	struct checks checks = {.arena = arena};
	struct minisign_signature parsed;
	struct error error;

	if (!document_claims_minisign(how->name))
		return;
	int rc = minisign_parse(arena, text, &parsed, &error);
	if (rc != 0 && rule == NULL)
		return;
	*out = (struct measured){.format = FORMAT_MINISIGN,
	                         .level = LEVEL_CLAIMED,
	                         .signature.kind = SIGNING_ED25519};
	if (rc != 0) {
		document_refuse(arena, out, "%s", error.text);
		return;
	}
	check_key(&parsed, rule, &checks);
	take_signature(arena, &parsed, &checks, out);
}
