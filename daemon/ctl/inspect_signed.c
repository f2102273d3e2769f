#include "common/measure/build.h"
#include "common/measure/sigstore.h"
#include "daemon/ctl/inspect.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* --- the rule of the command line ---------------------------------------------------------------
 */

/* A small file of the operator's as a whole. */
static int read_file(struct arena *arena, const char *path, size_t max, struct bytes *out,
                     struct error *error)
{
	uint8_t *content = arena_alloc(arena, max + 1);
	ssize_t got = 0;
	size_t len = 0;

	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	while (fd >= 0 && len <= max && (got = read(fd, content + len, max + 1 - len)) > 0)
		len += (size_t)got;
	int rc = fd < 0 || got < 0 ? error_set_errno(error, "%s", path) : 0;
	if (rc == 0 && len > max)
		rc = error_set(error, ERR_LIMIT, "%s: over %zu bytes", path, max);
	if (fd >= 0)
		close(fd);
	*out = bytes_of(content, len);
	return rc;
}

static int sigstore_rule(struct arena *arena, const struct ctl_options *options,
                         struct signing *out, struct error *error)
{
	struct sigstore_root *root = arena_alloc(arena, sizeof(*root));
	const char *issuer = options->issuer, *type = options->predicate_type;

	out->kind = SIGNING_SIGSTORE;
	out->workflow = arena_strdup(arena, options->identity);
	out->issuer = arena_strdup(arena, issuer != NULL ? issuer : SIGSTORE_GITHUB);
	out->predicate_type = arena_strdup(arena, type != NULL ? type : SIGSTORE_MEASUREMENTS_TYPE);
	if (sigstore_workflow_check(out->workflow, error) != 0)
		return error_prefix(error, "--identity");
	int rc = read_file(arena, options->trusted_root, SIGNING_MAX_ROOT, &out->root, error);
	if (rc == 0)
		rc = sigstore_root_read(arena, out->root, root, error);
	return rc != 0 ? error_prefix(error, "--trusted-root") : 0;
}

static int ed25519_rule(struct arena *arena, const struct ctl_options *options, struct signing *out,
                        struct error *error)
{
	struct bytes text = bytes_text(options->public_key);

	out->kind = SIGNING_ED25519;
	out->keys.items = arena_array(arena, 1, sizeof(*out->keys.items));
	out->keys.count = 1;
	if (minisign_key_parse(&out->keys.items[0], text, NULL) == 0)
		return 0;
	int rc = read_file(arena, options->public_key, MINISIGN_MAX_SIZE, &text, error);
	if (rc == 0)
		rc = minisign_key_parse(&out->keys.items[0], text, error);
	return rc != 0 ? error_prefix(error, "--public-key") : 0;
}

int inspection_rule(struct inspection *inspection, const struct ctl_options *options,
                    struct error *error)
{
	if (options->trusted_root != NULL)
		return sigstore_rule(&inspection->arena, options, &inspection->signing, error);
	if (options->public_key != NULL)
		return ed25519_rule(&inspection->arena, options, &inspection->signing, error);
	return 0;
}

/* --- what is signed -----------------------------------------------------------------------------
 */

static void refuse(struct inspection *inspection, struct inspected *file, const char *reason)
{
	file->measured.refused = true;
	file->measured.refusal = arena_strdup(&inspection->arena, reason);
}

/* True when the signature is over it and good. */
static bool check_over(struct inspection *inspection, struct inspected *signature,
                       struct inspected *file)
{
	const struct build_artifact a = {signature->name, &signature->measured};
	const struct build_artifact b = {file->name, &file->measured};

	if (!build_signature_is_over(&a, &b))
		return false;
	if (signature->measured.signature.kind == SIGNING_SIGSTORE)
		return checks_add(&signature->checks, "subject", CHECK_PASSED,
		                  "%s is what was attested", file->name) &&
		       signature->measured.signature.is_decided;
	if (!signature->measured.signature.is_decided)
		return false;
	enum check_result result =
	        build_ed25519_check(&inspection->signing, &a, &b, &signature->checks);
	if (result == CHECK_FAILED)
		refuse(inspection, signature,
		       arena_printf(&inspection->arena,
		                    "signature: it is over other bytes than those of %s",
		                    file->name));
	return result == CHECK_PASSED;
}

/* What should be among the files if it were any of them. */
static bool should_be_here(const struct inspection *inspection, const struct signature *signature)
{
	for (size_t i = 0; i < inspection->count; i++) {
		if (inspection->files[i].measured.format == FORMAT_EIF)
			return true;
		for (size_t k = 0; k < signature->subject_count; k++)
			if (strcmp(inspection->files[i].name, signature->subjects[k].name) == 0)
				return true;
	}
	return false;
}

static void check_stray(struct inspection *inspection, struct inspected *file)
{
	const struct signature *signature = &file->measured.signature;
	const char *name = signature->subject_count > 0 ? signature->subjects[0].name : "nothing";
	bool is_sigstore = signature->kind == SIGNING_SIGSTORE;
	bool is_wrong = is_sigstore && inspection->signing.kind == SIGNING_SIGSTORE &&
	                should_be_here(inspection, signature);

	if (checks_find(&file->checks, "subject") != NULL ||
	    checks_find(&file->checks, "signature") != NULL)
		return;
	checks_add(&file->checks, is_sigstore ? "subject" : "signature",
	           is_wrong ? CHECK_FAILED : CHECK_UNDECIDED, "%s%s",
	           is_sigstore ? "none of these files is what was attested: "
	                       : "the file it is named after is not among these",
	           is_sigstore ? name : "");
	if (is_wrong)
		refuse(inspection, file,
		       arena_printf(&inspection->arena,
		                    "subject: it attests %s of other bytes than these", name));
}

static bool check_signature(struct inspection *inspection, struct inspected *signature)
{
	bool is_signed = false;

	if (signature->measured.signature.kind == SIGNING_NONE || signature->measured.refused)
		return false;
	for (size_t i = 0; i < inspection->count; i++)
		if (check_over(inspection, signature, &inspection->files[i])) {
			inspection->files[i].is_signed = true;
			is_signed = true;
		}
	check_stray(inspection, signature);
	signature->is_signed = signature->is_signed || is_signed;
	return is_signed;
}

bool inspection_signatures(struct inspection *inspection)
{
	bool is_signed = false;

	for (size_t i = 0; i < inspection->count; i++)
		is_signed = check_signature(inspection, &inspection->files[i]) || is_signed;
	return is_signed;
}
