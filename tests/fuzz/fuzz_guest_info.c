/* What dstack machines say about themselves: only a genuine quote makes a candidate, nothing that
 * is refused counts, a reading repeated is the same, and all texts can be shown. */
#include "common/crypto/hash.h"
#include "common/measure/guest_info.h"
#include "tests/fuzz/fuzz.h"

static void check_report(const struct guest_report *report)
{
	PROPERTY(report->role != NULL && report->name != NULL);
	PROPERTY(report->value_count <= GUEST_MAX_VALUES && report->checks.count <= CHECKS_MAX);
	PROPERTY(!report->genuine || (report->has_quote && report->has_registers));
	for (size_t i = 0; i < report->checks.count; i++)
		PROPERTY(report->checks.items[i].text != NULL &&
		         check_result_name(report->checks.items[i].result) != NULL);
	for (size_t i = 0; i < report->value_count; i++) {
		const struct guest_value *value = &report->values[i];
		PROPERTY(kind_name(value->kind) != NULL && value->why != NULL);
		PROPERTY(!value->candidate || (report->genuine && !value->refused));
		PROPERTY(!value->candidate || report->refusal == NULL);
	}
}

static void check_same(const struct guest_report *a, const struct guest_report *b)
{
	PROPERTY(a->genuine == b->genuine && a->value_count == b->value_count);
	PROPERTY((a->refusal == NULL) == (b->refusal == NULL));
	PROPERTY(a->refusal == NULL || strcmp(a->refusal, b->refusal) == 0);
	for (size_t i = 0; i < a->value_count; i++)
		PROPERTY(hash32_equal(&a->values[i].value, &b->values[i].value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);
	struct guest_options options = {.now = {1780272000000}, .root = tdx_intel_root()};
	struct guest_info first, second;
	struct arena arena = {0};

	crypto_init();
	options.is_kms = fuzz_take(&text) & 1;
	guest_info_read(&arena, &first, text, &options);
	guest_info_read(&arena, &second, text, &options);
	PROPERTY(first.document == second.document && first.count == second.count);
	PROPERTY(first.document != GUEST_NONE || (first.refusal == NULL && first.count == 0));
	PROPERTY(first.refusal == NULL || first.count == 0);
	PROPERTY(first.count <= GUEST_MAX_REPORTS);
	PROPERTY(guest_document_name(first.document) != NULL);
	for (size_t i = 0; i < first.count; i++) {
		check_report(&first.reports[i]);
		check_same(&first.reports[i], &second.reports[i]);
	}
	arena_free(&arena);
	return 0;
}
