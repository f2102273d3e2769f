/* Sigstore bundles and trusted roots: nothing is verified without a root, nor with a failed check,
 * nor for another value, issuer or workflow; every reading is one of three verdicts. */
#include "common/crypto/hash.h"
#include "common/measure/sigstore.h"
#include "tests/fuzz/fuzz.h"

static const struct check *undecided(const struct checks *checks)
{
	for (size_t i = 0; i < checks->count; i++)
		if (checks->items[i].result == CHECK_UNDECIDED)
			return &checks->items[i];
	return NULL;
}

static void check_outcome(const struct sigstore *out, bool has_root)
{
	bool failed = checks_first_failed(&out->checks) != NULL;

	PROPERTY((out->verdict == SIGSTORE_REFUSED) == failed);
	PROPERTY(has_root || out->verdict != SIGSTORE_VERIFIED);
	PROPERTY(out->verdict != SIGSTORE_UNDECIDED || undecided(&out->checks) != NULL);
	PROPERTY(out->subject_count <= SIGSTORE_MAX_SUBJECTS && out->certificate.len > 0);
	PROPERTY(out->has_value || hash32_is_zero(&out->value));
}

static void check_bundle(struct arena *arena, struct bytes bundle, const struct sigstore_root *root)
{
	static const struct hash32 subject = {{1}};
	const struct sigstore_expect anything = {0};
	const struct sigstore_expect another = {.issuer = "https://nobody.example",
	                                        .workflow = "https://nobody.example/a/b/",
	                                        .subjects = &subject,
	                                        .subject_count = 1};
	struct sigstore out;

	if (sigstore_verify(arena, bundle, root, &anything, &out, NULL) != 0) {
		PROPERTY(out.verdict == SIGSTORE_REFUSED && out.subject_count == 0);
		return;
	}
	check_outcome(&out, root != NULL);
	PROPERTY(out.verdict != SIGSTORE_VERIFIED);
	PROPERTY(sigstore_verify(arena, bundle, root, &another, &out, NULL) == 0);
	check_outcome(&out, root != NULL);
	PROPERTY(out.verdict != SIGSTORE_VERIFIED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);
	struct arena arena = {0};
	struct sigstore_root root;

	crypto_init();
	if (sigstore_root_read(&arena, text, &root, NULL) == 0) {
		PROPERTY(root.log_count <= SIGSTORE_MAX_KEYS);
		PROPERTY(root.authority_count <= SIGSTORE_MAX_AUTHORITIES);
		for (size_t i = 0; i < root.authority_count; i++)
			PROPERTY(root.authorities[i].count > 0);
	}
	check_bundle(&arena, text, NULL);
	root = (struct sigstore_root){0};
	check_bundle(&arena, text, &root);
	const char *workflow = arena_text(&arena, text);
	if (sigstore_workflow_check(workflow, NULL) == 0)
		PROPERTY(strncmp(workflow, "https://", 8) == 0);
	arena_free(&arena);
	return 0;
}
