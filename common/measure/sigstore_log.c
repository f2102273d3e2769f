#include "common/crypto/pubkey.h"
#include "common/measure/sigstore_internal.h"

#include <inttypes.h>
#include <string.h>

/* --- the signed entry timestamp -----------------------------------------------------------------
 */

static int verify_promise(struct arena *arena, const struct sigstore_entry *entry,
                          const struct sigstore_key *log, struct error *error)
{
	struct buf text = {0};

	if (entry->time < log->from || entry->time > log->until)
		return error_set(error, ERR_DENIED, "the log's key was not valid at that time");
	/* JSON with sorted keys and no spaces (RFC 8785). */
	buf_printf(&text, "{\"body\":\"%s\",\"integratedTime\":%" PRId64 ",\"logID\":\"",
	           entry->body_text, entry->time);
	buf_append_hex(&text, entry->log_id);
	buf_printf(&text, "\",\"logIndex\":%" PRId64 "}", entry->index);
	struct bytes message = arena_copy(arena, buf_bytes(&text));
	buf_free(&text);
	return pubkey_verify(log->key, message, entry->promise, error);
}

static void check_promise(struct arena *arena, const struct sigstore_entry *entry,
                          const struct sigstore_key *log, struct checks *checks)
{
	struct error error;

	if (entry->time == 0) {
		checks_add(checks, SIGSTORE_CHECK_LOG_PROMISE, CHECK_UNDECIDED,
		           "the entry has no time");
		return;
	}
	int rc = verify_promise(arena, entry, log, &error);
	checks_add_rc(checks, SIGSTORE_CHECK_LOG_PROMISE, rc, &error, "signed by the log");
}

/* --- the inclusion proof (RFC 9162, section 2.1.3.2) --------------------------------------------
 */

static struct hash32 hash_node(const struct hash32 *left, const struct hash32 *right)
{
	uint8_t node[65] = {1};

	memcpy(node + 1, left->b, 32);
	memcpy(node + 33, right->b, 32);
	return sha256(bytes_of(node, sizeof(node)));
}

static struct hash32 hash_leaf(struct arena *arena, struct bytes body)
{
	uint8_t *leaf = arena_alloc(arena, body.len + 1);

	memcpy(leaf + 1, body.data, body.len);
	return sha256(bytes_of(leaf, body.len + 1));
}

static bool leads_to_root(const struct sigstore_proof *proof, struct hash32 hash)
{
	if (proof->index >= proof->tree_size)
		return false;
	uint64_t node = proof->index, last = proof->tree_size - 1;
	for (size_t i = 0; i < proof->count; i++) {
		if (last == 0)
			return false;
		if ((node & 1) != 0 || node == last) {
			hash = hash_node(&proof->hashes[i], &hash);
			while ((node & 1) == 0 && node != 0) {
				node >>= 1;
				last >>= 1;
			}
		} else {
			hash = hash_node(&hash, &proof->hashes[i]);
		}
		node >>= 1;
		last >>= 1;
	}
	return last == 0 && hash32_equal(&hash, &proof->root);
}

/* One line "— name base64(hint || signature)". True when it is by that log and verifies. */
static bool line_verifies(struct arena *arena, const char *line, size_t len, struct bytes text,
                          const struct sigstore_key *log)
{
	static const char dash[] = "\xe2\x80\x94 ";
	struct bytes raw;

	if (len <= strlen(dash) || strncmp(line, dash, strlen(dash)) != 0)
		return false;
	const char *value = memrchr(line, ' ', len);
	char *encoded = arena_text(arena, bytes_of(value + 1, (size_t)(line + len - value - 1)));
	return base64_decode(arena, &raw, encoded, NULL) == 0 && raw.len > 4 && log->id.len >= 4 &&
	       memcmp(raw.data, log->id.data, 4) == 0 &&
	       pubkey_verify(log->key, text, bytes_of(raw.data + 4, raw.len - 4), NULL) == 0;
}

/* The signed note: text, an empty line, signatures. */
static int verify_checkpoint(struct arena *arena, const struct sigstore_proof *proof,
                             const struct sigstore_key *log, struct error *error)
{
	const char *end = strstr(proof->checkpoint, "\n\n");

	if (end == NULL)
		return error_set(error, ERR_INVALID, "the checkpoint is no signed note");
	struct bytes text = bytes_of(proof->checkpoint, (size_t)(end + 1 - proof->checkpoint));
	const char *size = strchr(proof->checkpoint, '\n') + 1;
	char *wanted = arena_printf(arena, "%" PRIu64 "\n%s\n", proof->tree_size,
	                            base64_encode(arena, bytes_of(proof->root.b, 32)));
	if (strncmp(size, wanted, strlen(wanted)) != 0 || size + strlen(wanted) > end + 1)
		return error_set(error, ERR_DENIED,
		                 "the checkpoint is about another tree than the proof");
	for (const char *line = end + 2; *line != '\0';) {
		size_t len = strcspn(line, "\n");
		if (line_verifies(arena, line, len, text, log))
			return 0;
		line += len + (line[len] == '\n' ? 1 : 0);
	}
	return error_set(error, ERR_DENIED, "the checkpoint has no valid signature of the log");
}

static void check_inclusion(struct arena *arena, const struct sigstore_entry *entry,
                            const struct sigstore_key *log, struct checks *checks)
{
	struct error error;

	if (!entry->proof.there) {
		checks_add(checks, SIGSTORE_CHECK_INCLUSION, CHECK_UNDECIDED,
		           "there is no inclusion proof");
		return;
	}
	if (!leads_to_root(&entry->proof, hash_leaf(arena, entry->body))) {
		checks_add(checks, SIGSTORE_CHECK_INCLUSION, CHECK_FAILED,
		           "the proof does not lead to its root");
		return;
	}
	if (entry->proof.checkpoint == NULL) {
		checks_add(checks, SIGSTORE_CHECK_INCLUSION, CHECK_UNDECIDED,
		           "the proof's root is not signed");
		return;
	}
	int rc = verify_checkpoint(arena, &entry->proof, log, &error);
	checks_add_rc(checks, SIGSTORE_CHECK_INCLUSION, rc, &error,
	              "the proof leads to a checkpoint signed by the log");
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static void check_body(struct arena *arena, const struct sigstore_bundle *bundle,
                       struct checks *checks)
{
	struct error error;
	int rc = sigstore_body_matches(arena, bundle, &error);

	if (rc == ERR_NOT_FOUND)
		checks_add(checks, SIGSTORE_CHECK_LOG_BODY, CHECK_UNDECIDED, "%s", error.text);
	else
		checks_add_rc(checks, SIGSTORE_CHECK_LOG_BODY, rc, &error,
		              "the entry is about this envelope");
}

void sigstore_check_log(struct arena *arena, const struct sigstore_bundle *bundle,
                        const struct sigstore_root *root, struct sigstore *out)
{
	const struct sigstore_key *log =
	        root != NULL ? sigstore_find_key(root->logs, root->log_count, bundle->entry.log_id)
	                     : NULL;

	bool has_promise = bundle->entry.promise.data != NULL;

	/* A time that nobody signed is none. */
	out->logged_at = has_promise ? bundle->entry.time : 0;
	check_body(arena, bundle, &out->checks);
	if (log == NULL) {
		enum check_result result = root != NULL ? CHECK_FAILED : CHECK_UNDECIDED;
		const char *text = root != NULL ? "the trusted root does not know this log"
		                                : "no trusted root is configured";
		checks_add(&out->checks, SIGSTORE_CHECK_LOG_PROMISE, result, "%s", text);
		checks_add(&out->checks, SIGSTORE_CHECK_INCLUSION, result, "%s", text);
		return;
	}
	if (has_promise)
		check_promise(arena, &bundle->entry, log, &out->checks);
	check_inclusion(arena, &bundle->entry, log, &out->checks);
	/* One of the two has to say that the log has the entry. */
	if (!has_promise && !checks_passed(&out->checks, SIGSTORE_CHECK_INCLUSION))
		checks_add(&out->checks, SIGSTORE_CHECK_LOG_PROMISE, CHECK_UNDECIDED,
		           "the log has signed neither the entry nor a tree with it");
	if (!has_promise)
		sigstore_check_timestamps(bundle, root, out);
}
