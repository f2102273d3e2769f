#include "common/measure/build.h"

#include <string.h>

struct judge {
	struct arena *arena;
	const struct build_artifact *artifacts;
	size_t count;
	struct build_verdicts *out;
};

static bool is_image(const struct measured *measured)
{
	return measured->format == FORMAT_EIF;
}

/* Signature files have rules of their own; an attestation of measurements that holds is a claim,
 * too. */
static bool is_signature(const struct measured *measured)
{
	return measured->format == FORMAT_MINISIGN ||
	       (measured->format == FORMAT_SIGSTORE &&
	        (measured->refused || hash32_is_zero(&measured->value)));
}

/* About an enclave, but not its image. Also what could not be measured at all: nobody knows what it
 * would have said. */
static bool is_claim(const struct measured *measured)
{
	return !is_image(measured) && !is_signature(measured) &&
	       (format_is_nitro(measured->format) ||
	        (measured->format == FORMAT_UNKNOWN && measured->refused));
}

static bool is_document(const struct measured *measured)
{
	return measured->format != FORMAT_UNKNOWN && measured->format != FORMAT_OS_FILE &&
	       !is_signature(measured) && !format_is_nitro(measured->format);
}

static bool has_value(const struct measured *measured)
{
	return !hash32_is_zero(&measured->value);
}

/* The first reason stays; it is made only when it is needed. */
#define REFUSE(judge, build, ...)                                                                  \
	do {                                                                                       \
		if (!(build)->refused)                                                             \
			(build)->reason = arena_printf((judge)->arena, __VA_ARGS__);               \
		(build)->refused = true;                                                           \
	} while (0)

/* A notice in a log may state the hash without the PCRs. */
static bool is_debug(const struct measured *measured)
{
	static const struct pcrs none;

	return format_is_nitro(measured->format) && pcrs_any_zero(&measured->pcrs) &&
	       (measured->format != FORMAT_BUILD_LOG ||
	        memcmp(&measured->pcrs, &none, 3 * SHA384_SIZE) != 0);
}

/* Refused by itself, or accepted by its parser with a debug enclave's zeros: never a good one. */
static void refuse_if_bad(struct judge *judge, struct build_verdict *build, size_t index)
{
	const struct build_artifact *artifact = &judge->artifacts[index];

	if (artifact->measured->refused)
		REFUSE(judge, build, "%s: %s", artifact->name,
		       artifact->measured->refusal != NULL ? artifact->measured->refusal
		                                           : "refused");
	else if (is_debug(artifact->measured))
		REFUSE(judge, build, "%s: PCR0, PCR1 or PCR2 is zero: a debug enclave",
		       artifact->name);
}

static void add_artifact(struct judge *judge, struct build_verdict *build, size_t index)
{
	const struct measured *measured = judge->artifacts[index].measured;

	build->artifacts[build->artifact_count++] = index;
	build->is_signed = build->is_signed || (measured->is_signed && !measured->refused);
	if (!build->has_value && has_value(measured)) {
		build->has_value = true;
		build->value = measured->value;
	}
	refuse_if_bad(judge, build, index);
}

/* The value that a build of documents is known by. */
static void name_document_build(struct judge *judge, struct build_verdict *build)
{
	static const enum kind order[] = {KIND_COMPOSE, KIND_OS_IMAGE, KIND_KMS_MR, KIND_DEVICE,
	                                  KIND_KMS_DEVICE};

	for (size_t k = 0; k < ARRAY_LEN(order); k++)
		for (size_t i = 0; i < build->artifact_count && !build->has_value; i++) {
			const struct measured_value *value = measured_find(
			        judge->artifacts[build->artifacts[i]].measured, order[k]);
			build->has_value = value != NULL;
			if (value != NULL)
				build->value = value->value;
		}
}

static struct build_verdict *add_build(struct judge *judge, const char *eif,
                                       enum evidence_level level)
{
	struct build_verdict *build = &judge->out->items[judge->out->count++];

	*build = (struct build_verdict){
	        .eif = eif,
	        .level = level,
	        .artifacts = arena_array(judge->arena, judge->count, sizeof(*build->artifacts)),
	};
	return build;
}

/* Same value and, where both state one, the same signer register. */
static bool agrees(const struct measured *image, const struct measured *claim)
{
	if (!has_value(image) || !hash32_equal(&image->value, &claim->value))
		return false;
	return !image->pcrs.has_pcr8 || !claim->pcrs.has_pcr8 ||
	       memcmp(image->pcrs.pcr8, claim->pcrs.pcr8, SHA384_SIZE) == 0;
}

/* The first of PCR0-2 in which they differ, which is what build tools print; -1: none, or not
 * known. */
static int differing_pcr(const struct pcrs *a, const struct pcrs *b)
{
	if (pcrs_any_zero(a) || pcrs_any_zero(b))
		return -1;
	if (memcmp(a->pcr0, b->pcr0, SHA384_SIZE) != 0)
		return 0;
	if (memcmp(a->pcr1, b->pcr1, SHA384_SIZE) != 0)
		return 1;
	return memcmp(a->pcr2, b->pcr2, SHA384_SIZE) != 0 ? 2 : -1;
}

/* "0x... (PCR0 ...)" */
static const char *value_text(struct judge *judge, const struct measured *measured, int pcr)
{
	const uint8_t *const pcrs[] = {measured->pcrs.pcr0, measured->pcrs.pcr1,
	                               measured->pcrs.pcr2};
	char value[HASH32_TEXT_SIZE], hex[2 * SHA384_SIZE + 1];

	hash32_text(value, &measured->value);
	if (pcr < 0)
		return arena_printf(judge->arena, "%s", value);
	return arena_printf(judge->arena, "%s (PCR%d %s)", value, pcr,
	                    hex_encode(hex, bytes_of(pcrs[pcr], SHA384_SIZE)));
}

static void refuse_contradiction(struct judge *judge, struct build_verdict *build, size_t claim,
                                 size_t other)
{
	const struct build_artifact *a = &judge->artifacts[claim], *b = &judge->artifacts[other];
	int pcr = differing_pcr(&a->measured->pcrs, &b->measured->pcrs);

	if (hash32_equal(&a->measured->value, &b->measured->value))
		REFUSE(judge, build, "%s and %s have the same value but another PCR8", a->name,
		       b->name);
	else
		REFUSE(judge, build, "%s says %s, but %s %s %s", a->name,
		       value_text(judge, a->measured, pcr), b->name,
		       is_image(b->measured) ? "gives" : "says",
		       value_text(judge, b->measured, pcr));
}

/* A claim that fits no image belongs to an image that could not be measured, if there is one;
 * otherwise it may be about any of them. */
static void add_stray(struct judge *judge, size_t claim, bool some_unmeasured)
{
	for (size_t i = 0; i < judge->out->count; i++) {
		struct build_verdict *build = &judge->out->items[i];
		size_t image = build->artifacts[0];
		bool unmeasured = !has_value(judge->artifacts[image].measured);
		if (some_unmeasured && !unmeasured)
			continue;
		add_artifact(judge, build, claim);
		if (!unmeasured && has_value(judge->artifacts[claim].measured))
			refuse_contradiction(judge, build, claim, image);
	}
}

static void judge_claim_beside_images(struct judge *judge, size_t claim, bool some_unmeasured)
{
	bool placed = false;

	for (size_t i = 0; i < judge->out->count; i++) {
		struct build_verdict *build = &judge->out->items[i];
		const struct measured *image = judge->artifacts[build->artifacts[0]].measured;
		if (agrees(image, judge->artifacts[claim].measured)) {
			add_artifact(judge, build, claim);
			placed = true;
		}
	}
	if (!placed)
		add_stray(judge, claim, some_unmeasured);
}

static void judge_images(struct judge *judge)
{
	bool some_unmeasured = false;

	for (size_t i = 0; i < judge->count; i++) {
		const struct build_artifact *artifact = &judge->artifacts[i];
		if (!is_image(artifact->measured))
			continue;
		add_artifact(judge, add_build(judge, artifact->name, LEVEL_RECOMPUTED), i);
		some_unmeasured = some_unmeasured || !has_value(artifact->measured);
	}
	for (size_t i = 0; i < judge->count && judge->out->count > 0; i++)
		if (is_claim(judge->artifacts[i].measured))
			judge_claim_beside_images(judge, i, some_unmeasured);
}

/* --- without an image --------------------------------------------------------------------------
 */

static void judge_claims_alone(struct judge *judge, struct build_verdict *build)
{
	size_t first = 0; /* the first claim with a value */
	bool any = false;

	for (size_t i = 0; i < judge->count; i++) {
		const struct measured *claim = judge->artifacts[i].measured;
		if (!is_claim(claim))
			continue;
		add_artifact(judge, build, i);
		if (!has_value(claim))
			continue;
		if (any && !agrees(judge->artifacts[first].measured, claim))
			refuse_contradiction(judge, build, i, first);
		if (!any)
			first = i;
		any = true;
	}
}

static bool states(const struct measured *measured, const struct measured_value *value)
{
	for (size_t i = 0; i < measured->value_count; i++)
		if (measured->values[i].kind == value->kind &&
		    hash32_equal(&measured->values[i].value, &value->value))
			return true;
	return false;
}

/* Whether both state this kind, and no value of it in common. */
static bool disagrees(const struct measured *a, const struct measured *b, enum kind kind)
{
	if (measured_find(a, kind) == NULL || measured_find(b, kind) == NULL)
		return false;
	for (size_t i = 0; i < a->value_count; i++)
		if (a->values[i].kind == kind && states(b, &a->values[i]))
			return false;
	return true;
}

/* Machines differ in their device ids, but not in what they run. */
static void compare_document(struct judge *judge, struct build_verdict *build, size_t index)
{
	static const enum kind kinds[] = {KIND_COMPOSE, KIND_OS_IMAGE};
	const struct build_artifact *a = &judge->artifacts[index];
	char first[HASH32_TEXT_SIZE], second[HASH32_TEXT_SIZE];

	for (size_t i = 0; i < build->artifact_count; i++) {
		const struct build_artifact *b = &judge->artifacts[build->artifacts[i]];
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
			if (disagrees(a->measured, b->measured, kinds[k]))
				REFUSE(judge, build, "%s says %s %s, but %s says %s", a->name,
				       kind_name(kinds[k]),
				       hash32_text(first,
				                   &measured_find(a->measured, kinds[k])->value),
				       b->name,
				       hash32_text(second,
				                   &measured_find(b->measured, kinds[k])->value));
	}
}

static void check_listed_files(struct judge *judge, struct build_verdict *build, size_t index)
{
	const struct build_artifact *list = &judge->artifacts[index];
	const char *which;

	if (list->measured->format == FORMAT_OS_CHECKSUMS &&
	    build_os_files(judge->arena, judge->artifacts, judge->count, index, &which) ==
	            OS_FILES_DIFFERENT)
		REFUSE(judge, build, "%s has another digest than %s lists", which, list->name);
}

static void judge_documents(struct judge *judge, struct build_verdict *build)
{
	for (size_t i = 0; i < judge->count; i++) {
		const struct measured *measured = judge->artifacts[i].measured;
		if (!is_document(measured))
			continue;
		compare_document(judge, build, i);
		add_artifact(judge, build, i);
		check_listed_files(judge, build, i);
		for (size_t k = 0; k < measured->value_count; k++)
			if (measured->values[k].level > build->level)
				build->level = measured->values[k].level;
	}
	name_document_build(judge, build);
}

static void judge_without_image(struct judge *judge)
{
	bool beside_images = judge->out->count > 0;
	bool any = false;

	for (size_t i = 0; i < judge->count; i++) {
		const struct measured *measured = judge->artifacts[i].measured;
		any = any || is_document(measured) || (!beside_images && is_claim(measured));
	}
	if (!any)
		return;
	struct build_verdict *build = add_build(judge, "", LEVEL_CLAIMED);
	if (!beside_images)
		judge_claims_alone(judge, build);
	judge_documents(judge, build);
}

void build_judge(struct arena *arena, const struct build_artifact *artifacts, size_t count,
                 const struct signing *signing, struct build_verdicts *out)
{
	struct judge judge = {.arena = arena, .artifacts = artifacts, .count = count, .out = out};

	*out = (struct build_verdicts){.items = arena_array(arena, count + 1, sizeof(*out->items))};
	judge_images(&judge);
	judge_without_image(&judge);
	build_judge_signatures(arena, artifacts, count, signing, out);
}
