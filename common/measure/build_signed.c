/* Signature files in a folder: which build they belong to, and whether they are over its bytes. */
#include "common/measure/build.h"

#include <string.h>

struct signed_folder {
	struct arena *arena;
	const struct build_artifact *artifacts;
	size_t count;
	const struct signing *signing; /* NULL: nobody must have signed */
	struct build_verdicts *builds;
};

static void refuse(struct signed_folder *folder, struct build_verdict *build, const char *reason)
{
	if (!build->refused)
		build->reason = arena_strdup(folder->arena, reason);
	build->refused = true;
}

static bool states_a_value(const struct measured *measured)
{
	return !measured->refused && measured->value_count > 0;
}

/* --- what a signature is over --------------------------------------------------------------------
 */

static bool attests(const struct signature *signature, const struct hash32 *digest)
{
	for (size_t i = 0; i < signature->subject_count && !hash32_is_zero(digest); i++)
		if (hash32_equal(&signature->subjects[i].sha256, digest))
			return true;
	return false;
}

static bool is_named_after(const char *signature, const char *artifact)
{
	static const char ending[] = ".minisig";
	size_t len = strlen(artifact);

	return strncmp(signature, artifact, len) == 0 && strcasecmp(signature + len, ending) == 0;
}

bool build_signature_is_over(const struct build_artifact *signature,
                             const struct build_artifact *artifact)
{
	const struct signature *signed_by = &signature->measured->signature;
	const struct measured *measured = artifact->measured;

	if (!states_a_value(measured))
		return false;
	switch (signed_by->kind) {
	case SIGNING_NONE:
		break;
	case SIGNING_SIGSTORE:
		/* The template's newer releases attest the PCRs, whose digest the value is. */
		return attests(signed_by, &measured->value) ||
		       (signature != artifact && attests(signed_by, &measured->sha256));
	case SIGNING_ED25519:
		return is_named_after(signature->name, artifact->name);
	}
	return false;
}

enum check_result build_ed25519_check(const struct signing *signing,
                                      const struct build_artifact *signature,
                                      const struct build_artifact *artifact, struct checks *checks)
{
	const struct signature *signed_by = &signature->measured->signature;
	const struct minisign_key *key = signing_key(signing, signed_by->key_id);
	const struct measured *measured = artifact->measured;
	struct error error = {0};

	if (!measured->has_blake2b || key == NULL) {
		checks_add(checks, "signature", CHECK_UNDECIDED, "%s was not measured for it yet",
		           artifact->name);
		return CHECK_UNDECIDED;
	}
	int rc = minisign_verify_digest(signed_by->bytes, key, measured->blake2b, &error);
	checks_add(checks, "signature", rc == 0 ? CHECK_PASSED : CHECK_FAILED,
	           rc == 0 ? "over the bytes of %s" : "it is over other bytes than those of %s",
	           artifact->name);
	return rc == 0 ? CHECK_PASSED : CHECK_FAILED;
}

/* --- one signature and one build ----------------------------------------------------------------
 */

static bool belongs_to(const struct signed_folder *folder, const struct build_verdict *build,
                       size_t index)
{
	for (size_t i = 0; i < build->artifact_count; i++)
		if (build_signature_is_over(&folder->artifacts[index],
		                            &folder->artifacts[build->artifacts[i]]))
			return true;
	return false;
}

static struct build_signature *add_signature(struct signed_folder *folder,
                                             struct build_verdict *build, size_t index)
{
	if (build->signatures == NULL)
		build->signatures =
		        arena_array(folder->arena, folder->count, sizeof(*build->signatures));
	struct build_signature *out = &build->signatures[build->signature_count++];
	out->index = index;
	out->checks.arena = folder->arena;
	out->covers = arena_array(folder->arena, build->artifact_count, sizeof(*out->covers));
	return out;
}

static void note_undecided(struct signed_folder *folder, struct build_verdict *build, size_t index,
                           const char *why)
{
	const struct signature *signature = &folder->artifacts[index].measured->signature;

	if (folder->signing != NULL && folder->signing->kind == signature->kind &&
	    build->undecided == NULL && why != NULL)
		build->undecided =
		        arena_printf(folder->arena, "%s: %s", folder->artifacts[index].name, why);
}

/* What it is over lies in this build: says so, and has an Ed25519 signature verified. */
static void check_over(struct signed_folder *folder, struct build_verdict *build, size_t covered,
                       struct build_signature *out)
{
	const struct build_artifact *file = &folder->artifacts[out->index];
	const struct build_artifact *artifact = &folder->artifacts[covered];
	const struct signature *signature = &file->measured->signature;

	out->covers[out->cover_count++] = covered;
	if (signature->kind == SIGNING_SIGSTORE) {
		checks_add(&out->checks, "subject", CHECK_PASSED, "%s is what was attested",
		           artifact->name);
		out->is_verified = signature->is_decided;
		return;
	}
	if (!signature->is_decided)
		return;
	enum check_result result =
	        build_ed25519_check(folder->signing, file, artifact, &out->checks);
	out->is_verified = result == CHECK_PASSED;
	if (result == CHECK_FAILED)
		refuse(folder, build,
		       arena_printf(folder->arena,
		                    "%s: signature: it is over other bytes than those of %s",
		                    file->name, artifact->name));
}

static void place_in(struct signed_folder *folder, struct build_verdict *build, size_t index)
{
	const struct build_artifact *file = &folder->artifacts[index];
	struct build_signature *out = add_signature(folder, build, index);

	for (size_t i = 0; i < build->artifact_count; i++)
		if (build_signature_is_over(file, &folder->artifacts[build->artifacts[i]]))
			check_over(folder, build, build->artifacts[i], out);
	if (!out->is_verified)
		note_undecided(folder, build, index, file->measured->signature.reason);
}

/* --- what is over nothing here ------------------------------------------------------------------
 */

static bool is_here(const struct signed_folder *folder, const char *name)
{
	for (size_t i = 0; i < folder->count; i++)
		if (strcmp(folder->artifacts[i].name, name) == 0)
			return true;
	return false;
}

static const char *subject_text(struct signed_folder *folder, const struct signature *signature)
{
	char digest[HASH32_TEXT_SIZE];

	if (signature->subject_count == 0)
		return "nothing with a SHA-256";
	return arena_printf(folder->arena, "%.200s (SHA-256 %s)", signature->subjects[0].name,
	                    hash32_text(digest, &signature->subjects[0].sha256) + strlen("0x"));
}

/* Whether what was attested should be here: an image is, or a file of that name. */
static bool is_over_other_bytes(const struct signed_folder *folder,
                                const struct build_verdict *build,
                                const struct signature *signature)
{
	bool is_named = false;

	for (size_t i = 0; i < signature->subject_count; i++)
		is_named = is_named || is_here(folder, signature->subjects[i].name);
	return is_named || *build->eif != '\0';
}

/* An attestation of the same measurements, or about nobody knows what. */
static bool may_be_about(const struct build_verdict *build, const struct measured *measured)
{
	return hash32_is_zero(&measured->value) ||
	       (build->has_value && hash32_equal(&build->value, &measured->value));
}

static void place_stray(struct signed_folder *folder, size_t index)
{
	const struct build_artifact *file = &folder->artifacts[index];
	const struct signature *signature = &file->measured->signature;
	bool is_wanted = folder->signing != NULL && folder->signing->kind == SIGNING_SIGSTORE;
	const char *subject = subject_text(folder, signature);

	for (size_t i = 0; i < folder->builds->count; i++) {
		struct build_verdict *build = &folder->builds->items[i];
		if (!may_be_about(build, file->measured))
			continue;
		struct build_signature *out = add_signature(folder, build, index);
		const char *why = arena_printf(
		        folder->arena, "it attests %s, which is no file of this build", subject);
		bool is_wrong = is_wanted && is_over_other_bytes(folder, build, signature);
		checks_add(&out->checks, "subject", is_wrong ? CHECK_FAILED : CHECK_UNDECIDED, "%s",
		           why);
		if (is_wrong)
			refuse(folder, build,
			       arena_printf(folder->arena, "%s: subject: %s", file->name, why));
		else
			note_undecided(folder, build, index, why);
	}
}

/* --- refused ones -------------------------------------------------------------------------------
 */

/* Minisign signatures name their file; an attestation that could not be read may be about any. */
static void place_refused(struct signed_folder *folder, size_t index)
{
	const struct build_artifact *file = &folder->artifacts[index];
	const char *reason =
	        arena_printf(folder->arena, "%s: %s", file->name, file->measured->refusal);
	bool is_placed = file->measured->signature.kind == SIGNING_ED25519;
	struct build_verdicts *builds = folder->builds;

	for (size_t i = 0; i < builds->count; i++)
		if (belongs_to(folder, &builds->items[i], index)) {
			refuse(folder, &builds->items[i], reason);
			is_placed = true;
		}
	if (is_placed)
		return;
	if (builds->count == 0)
		builds->items[builds->count++] =
		        (struct build_verdict){.eif = "", .level = LEVEL_CLAIMED};
	for (size_t i = 0; i < builds->count; i++)
		refuse(folder, &builds->items[i], reason);
}

/* --- the folder ---------------------------------------------------------------------------------
 */

static void place(struct signed_folder *folder, size_t index)
{
	const struct measured *measured = folder->artifacts[index].measured;
	bool is_placed = false;

	if (measured->refused) {
		place_refused(folder, index);
		return;
	}
	for (size_t i = 0; i < folder->builds->count; i++)
		if (belongs_to(folder, &folder->builds->items[i], index)) {
			place_in(folder, &folder->builds->items[i], index);
			is_placed = true;
		}
	if (!is_placed && measured->signature.kind == SIGNING_SIGSTORE)
		place_stray(folder, index);
}

void build_judge_signatures(struct arena *arena, const struct build_artifact *artifacts,
                            size_t count, const struct signing *signing, struct build_verdicts *out)
{
	struct signed_folder folder = {arena, artifacts, count, signing, out};

	for (size_t i = 0; i < count; i++)
		if (artifacts[i].measured->signature.kind != SIGNING_NONE ||
		    artifacts[i].measured->format == FORMAT_SIGSTORE)
			place(&folder, i);
}
