#include "common/measure/sigstore.h"

#include "common/crypto/pubkey.h"
#include "common/crypto/x509.h"
#include "common/measure/nitro.h"
#include "common/measure/sigstore_internal.h"

#include <string.h>

#define PAYLOAD_TYPE "application/vnd.in-toto+json"

static int verify_envelope(struct arena *arena, const struct sigstore_bundle *bundle,
                           struct error *error)
{
	struct bytes key;

	if (strcmp(bundle->payload_type, PAYLOAD_TYPE) != 0)
		return error_set(error, ERR_INVALID, "payload of type %.100s, expected %s",
		                 bundle->payload_type, PAYLOAD_TYPE);
	int rc = x509_public_key(arena, &key, bundle->certificate, error);
	if (rc != 0)
		return rc;
	return pubkey_verify(key, sigstore_envelope_bytes(arena, bundle), bundle->signature, error);
}

/* --- the statement ------------------------------------------------------------------------------
 */

static int read_subjects(struct arena *arena, const struct jval *list, struct sigstore *out,
                         struct error *error)
{
	if (jval_count(list) == 0 || jval_count(list) > SIGSTORE_MAX_SUBJECTS)
		return error_set(error, ERR_INVALID, "subject: %zu, expected 1 to %d",
		                 jval_count(list), SIGSTORE_MAX_SUBJECTS);
	out->subjects = arena_array(arena, jval_count(list), sizeof(*out->subjects));
	out->subject_names = arena_array(arena, jval_count(list), sizeof(*out->subject_names));
	for (size_t i = 0; i < jval_count(list); i++) {
		const char *text = jval_get_string(jval_get(jval_at(list, i), "digest"), "sha256");
		const char *name = jval_get_string(jval_at(list, i), "name");
		if (text == NULL)
			continue;
		if (hash32_parse(&out->subjects[out->subject_count], text, error) != 0)
			return error_prefix(error, "subject[%zu].digest.sha256", i);
		out->subject_names[out->subject_count++] =
		        arena_strdup(arena, name != NULL ? name : "");
	}
	return 0;
}

static void check_subject(const struct sigstore_expect *expect, struct sigstore *out)
{
	if (expect->subjects_later)
		return;
	if (expect->subject_count == 0) {
		checks_add(&out->checks, SIGSTORE_CHECK_SUBJECT, CHECK_UNDECIDED,
		           "nothing is at hand that could be attested");
		return;
	}
	for (size_t i = 0; i < out->subject_count; i++)
		for (size_t k = 0; k < expect->subject_count; k++)
			if (hash32_equal(&out->subjects[i], &expect->subjects[k])) {
				char text[HASH32_TEXT_SIZE];
				checks_add(&out->checks, SIGSTORE_CHECK_SUBJECT, CHECK_PASSED, "%s",
				           hash32_text(text, &out->subjects[i]));
				return;
			}
	checks_add(&out->checks, SIGSTORE_CHECK_SUBJECT, CHECK_FAILED,
	           "another file than this build's is attested");
}

/* The template's measurements: PCRs, and a hash that must be theirs. */
static int read_value(struct arena *arena, const struct jval *predicate, struct sigstore *out,
                      struct error *error)
{
	struct measured measured;
	struct buf text = {0};

	if (!jval_is_object(predicate))
		return error_set(error, ERR_INVALID, "expected an object");
	jval_write(&text, predicate, JVAL_COMPACT);
	nitro_read(arena, buf_bytes(&text), "measurements.json", &measured);
	buf_free(&text);
	if (measured.refused || measured.format != FORMAT_MEASUREMENTS)
		return error_set(error, ERR_INVALID, "%s",
		                 measured.refused ? measured.refusal : "it holds no measurements");
	out->value = measured.value;
	out->pcrs = measured.pcrs;
	out->has_value = true;
	return 0;
}

static int check_predicate(struct arena *arena, const struct jval *predicate,
                           const struct sigstore_expect *expect, struct sigstore *out)
{
	char found[HASH32_TEXT_SIZE], wanted[HASH32_TEXT_SIZE];
	struct error error;
	int rc = 0;

	if (expect->predicate_type != NULL &&
	    strcmp(out->predicate_type, expect->predicate_type) != 0)
		rc = error_set(&error, ERR_DENIED, "of type %.200s, expected %.200s",
		               out->predicate_type, expect->predicate_type);
	else if (strcmp(out->predicate_type, SIGSTORE_MEASUREMENTS_TYPE) == 0)
		rc = read_value(arena, predicate, out, &error);
	if (rc == 0 && out->has_value && expect->value != NULL &&
	    !hash32_equal(&out->value, expect->value))
		rc = error_set(&error, ERR_DENIED, "it measures %s, the build %s",
		               hash32_text(found, &out->value), hash32_text(wanted, expect->value));
	return checks_add_rc(&out->checks, SIGSTORE_CHECK_PREDICATE, rc, &error,
	                     out->predicate_type);
}

static bool known_statement(const char *type)
{
	return type != NULL && (strcmp(type, "https://in-toto.io/Statement/v0.1") == 0 ||
	                        strcmp(type, "https://in-toto.io/Statement/v1") == 0);
}

static int read_statement(struct arena *arena, const struct jval *statement,
                          const struct sigstore_expect *expect, struct sigstore *out,
                          struct error *error)
{
	const char *type = jval_get_string(statement, "predicateType");

	if (!known_statement(jval_get_string(statement, "_type")))
		return error_set(error, ERR_INVALID, "_type: expected an in-toto statement");
	if (type == NULL)
		return error_set(error, ERR_INVALID, "predicateType: expected a string");
	out->predicate_type = arena_strdup(arena, type);
	int rc = read_subjects(arena, jval_get(statement, "subject"), out, error);
	if (rc != 0)
		return rc;
	check_predicate(arena, jval_get(statement, "predicate"), expect, out);
	check_subject(expect, out);
	return 0;
}

static int check_statement(struct arena *arena, struct bytes payload,
                           const struct sigstore_expect *expect, struct sigstore *out,
                           struct error *error)
{
	struct jval *statement = NULL;

	int rc = jval_parse(&statement, payload, error);
	if (rc == 0)
		rc = read_statement(arena, statement, expect, out, error);
	jval_free(statement);
	return rc != 0 ? error_prefix(error, "payload") : 0;
}

/* --- the verdict --------------------------------------------------------------------------------
 */

/* These may stay open: see struct sigstore. */
static bool may_stay_open(const struct check *check)
{
	return strcmp(check->name, SIGSTORE_CHECK_INCLUSION) == 0 ||
	       strcmp(check->name, SIGSTORE_CHECK_CERTIFICATE_LOG) == 0;
}

const struct check *sigstore_obstacle(const struct checks *checks)
{
	const struct check *obstacle = checks_first_failed(checks);

	for (size_t i = 0; i < checks->count && obstacle == NULL; i++)
		if (checks->items[i].result == CHECK_UNDECIDED && !may_stay_open(&checks->items[i]))
			obstacle = &checks->items[i];
	return obstacle;
}

static enum sigstore_verdict judge(const struct checks *checks)
{
	const struct check *obstacle = sigstore_obstacle(checks);

	if (obstacle == NULL)
		return SIGSTORE_VERIFIED;
	return obstacle->result == CHECK_FAILED ? SIGSTORE_REFUSED : SIGSTORE_UNDECIDED;
}

int sigstore_verify(struct arena *arena, struct bytes bundle, const struct sigstore_root *root,
                    const struct sigstore_expect *expect, struct sigstore *out, struct error *error)
{
	struct sigstore_bundle parsed;
	struct error local;

	*out = (struct sigstore){.checks.arena = arena, .verdict = SIGSTORE_REFUSED};
	int rc = sigstore_bundle_read(arena, bundle, &parsed, &local);
	if (rc == 0) {
		out->legacy = parsed.legacy;
		out->certificate = parsed.certificate;
		int verified = verify_envelope(arena, &parsed, &local);
		checks_add_rc(&out->checks, SIGSTORE_CHECK_ENVELOPE, verified, &local,
		              "signed with the certificate's key");
		rc = check_statement(arena, parsed.payload, expect, out, &local);
	}
	if (rc != 0) {
		*out = (struct sigstore){.verdict = SIGSTORE_REFUSED};
		return error_set(error, ERR_INVALID, "%s", local.text);
	}
	sigstore_check_log(arena, &parsed, root, out);
	sigstore_check_certificate(arena, &parsed, root, out);
	sigstore_check_identity(arena, expect, out);
	out->verdict = judge(&out->checks);
	return 0;
}
