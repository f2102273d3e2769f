/* Nitro attestation documents: the COSE envelope, written again, is the same envelope; every view
 * lies in the document; and a document that verifies does not any more with one bit of it changed.
 */
#include "common/measure/cbor.h"
#include "common/measure/cose.h"
#include "common/measure/nsm.h"
#include "tests/fuzz/fuzz.h"

static void check_envelope(struct bytes document)
{
	struct cose_sign1 first, second;
	struct buf again = {0};

	if (cose_parse(document, &first, NULL) != 0)
		return;
	cbor_put_head(&again, CBOR_TAG, 18);
	cbor_put_head(&again, CBOR_ARRAY, 4);
	cbor_put_bytes(&again, first.protected);
	cbor_put_head(&again, CBOR_MAP, 0);
	cbor_put_bytes(&again, first.payload);
	cbor_put_bytes(&again, first.signature);
	PROPERTY(cose_parse(buf_bytes(&again), &second, NULL) == 0);
	PROPERTY(first.algorithm == second.algorithm && first.algorithm < 0);
	PROPERTY(bytes_equal(first.payload, second.payload));
	PROPERTY(bytes_equal(first.signature, second.signature));
	buf_free(&again);
}

static void check_view(struct bytes document, struct bytes view)
{
	PROPERTY(view.data == NULL || view.len == 0 ||
	         (view.data >= document.data &&
	          view.data + view.len <= document.data + document.len));
}

static void check_changed(struct arena *arena, struct bytes document, const struct nsm *nsm)
{
	struct bytes copy = arena_copy(arena, document);
	struct nsm changed;
	size_t at = be32_get(nsm->value.b) % document.len;

	((uint8_t *)copy.data)[at] ^= 1;
	PROPERTY(nsm_read(arena, copy, &changed, NULL) != 0 || !changed.verified ||
	         hash32_equal(&changed.value, &nsm->value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes document = bytes_of(data, size);
	struct arena arena = {0};
	struct nsm nsm;

	crypto_init();
	check_envelope(document);
	if (nsm_read(&arena, document, &nsm, NULL) == 0) {
		struct hash32 value = pcrs_value(&nsm.pcrs);
		PROPERTY(hash32_equal(&nsm.value, &value) && nsm.module_id != NULL);
		PROPERTY(nsm.cabundle_count > 0 && nsm.cabundle_count <= NSM_MAX_CABUNDLE);
		PROPERTY(nsm.verified == (checks_first_failed(&nsm.checks) == NULL));
		PROPERTY(!nsm.verified || !pcrs_any_zero(&nsm.pcrs));
		check_view(document, nsm.certificate);
		check_view(document, nsm.user_data);
		check_view(document, nsm.nonce);
		for (size_t i = 0; i < nsm.cabundle_count; i++)
			check_view(document, nsm.cabundle[i]);
		if (nsm.verified)
			check_changed(&arena, document, &nsm);
	} else {
		PROPERTY(!nsm.verified && hash32_is_zero(&nsm.value));
	}
	arena_free(&arena);
	return 0;
}
