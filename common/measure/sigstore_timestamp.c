/* Timestamps over the envelope's signature: what Rekor v2 leaves to others. */
#include "common/base/clock.h"
#include "common/crypto/timestamp.h"
#include "common/measure/sigstore_internal.h"

static int verify(const struct sigstore_bundle *bundle, struct bytes timestamp,
                  const struct sigstore_authority *clock, int64_t *at, struct error *error)
{
	int rc = timestamp_verify(timestamp, bundle->signature, clock->chain, clock->count, at,
	                          error);

	if (rc == 0 && (*at < clock->from || *at > clock->until))
		rc = error_set(error, ERR_DENIED, "the authority was not trusted at that time");
	if (rc != 0)
		*at = 0;
	return rc;
}

void sigstore_check_timestamps(const struct sigstore_bundle *bundle,
                               const struct sigstore_root *root, struct sigstore *out)
{
	struct error error = {0};
	char when[WALL_TEXT_SIZE];
	int64_t at;

	if (bundle->timestamp_count == 0) {
		checks_add(&out->checks, SIGSTORE_CHECK_TIMESTAMP, CHECK_UNDECIDED,
		           "there is none, and the log signs no time");
		return;
	}
	if (root->clock_count == 0) {
		checks_add(&out->checks, SIGSTORE_CHECK_TIMESTAMP, CHECK_UNDECIDED,
		           "the trusted root names no timestamp authority");
		return;
	}
	for (size_t i = 0; i < bundle->timestamp_count; i++)
		for (size_t k = 0; k < root->clock_count; k++) {
			if (verify(bundle, bundle->timestamps[i], &root->clocks[k], &at, &error) !=
			    0)
				continue;
			out->logged_at = at;
			checks_add(&out->checks, SIGSTORE_CHECK_TIMESTAMP, CHECK_PASSED,
			           "%s, by an authority of the trusted root",
			           wall_text_seconds(when, (uint64_t)at));
			return;
		}
	checks_add(&out->checks, SIGSTORE_CHECK_TIMESTAMP, CHECK_FAILED,
	           "by no authority of the trusted root: %s", error.text);
}
