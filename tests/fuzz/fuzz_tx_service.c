/* Answers of the services that keep a Safe's queue: nothing is accepted whose
 * hash is not the hash of its fields, and what is accepted, written as we post it, is accepted as
 * the same transaction. */
#include "common/base/jval.h"
#include "common/governance/proposal_api.h"
#include "common/governance/tx_service.h"
#include "tests/fuzz/fuzz.h"

enum { CHAIN_ID = 8453 };

/* The Safe of the transcripts that the corpus began with. */
static struct address safe_asked(struct bytes body)
{
	struct address safe = {{0}};
	struct jval *value;
	const struct jval *object;

	if (jval_parse(&value, body, NULL) != 0)
		return safe;
	object =
	        jval_get(value, "results") != NULL ? jval_at(jval_get(value, "results"), 0) : value;
	const char *text = jval_get_string(object, "safe");
	if (text != NULL && address_parse(&safe, text, NULL) != 0)
		safe = (struct address){{0}};
	jval_free(value);
	return safe;
}

/* Our own POST, with what the service adds to it. */
static void check_again(struct arena *arena, const struct proposal_tx *tx)
{
	static const uint8_t signature[SAFE_SIGNATURE_SIZE] = {1};
	char text[ADDRESS_TEXT_SIZE];
	struct buf body = {0};
	struct jval *value;
	struct proposal_tx again;

	tx_service_propose_body(&body, &tx->tx, &tx->proposer, signature, tx->origin);
	PROPERTY(jval_parse(&value, buf_bytes(&body), NULL) == 0);
	if (jval_get(value, "safe") == NULL)
		jval_add_string(value, "safe", address_text(text, &tx->tx.safe));
	if (jval_get(value, "safeTxHash") == NULL)
		jval_add_hash32(value, "safeTxHash", &tx->safe_tx_hash);
	buf_clear(&body);
	jval_write(&body, value, JVAL_COMPACT);
	jval_free(value);
	PROPERTY(tx_service_parse_tx(arena, &again,
	                             &(struct proposal_place){tx->tx.chain_id, tx->tx.safe},
	                             buf_bytes(&body), NULL) == 0);
	PROPERTY(hash32_equal(&again.safe_tx_hash, &tx->safe_tx_hash));
	PROPERTY(bytes_equal(again.tx.data, tx->tx.data) && again.tx.nonce == tx->tx.nonce);
	buf_free(&body);
}

static void check_tx(struct arena *arena, const struct proposal_tx *tx, const struct address *safe)
{
	struct hash32 hash = safe_tx_hash(&tx->tx);

	PROPERTY(tx->tx.chain_id == CHAIN_ID && address_equal(&tx->tx.safe, safe));
	PROPERTY(hash32_equal(&hash, &tx->safe_tx_hash) && tx->tx.operation <= 1);
	for (size_t i = 0; i < tx->confirmation_count; i++) {
		PROPERTY(!tx->confirmations[i].verified || !tx->confirmations[i].needs_chain);
		for (size_t j = 0; j < i; j++)
			PROPERTY(!address_equal(&tx->confirmations[i].owner,
			                        &tx->confirmations[j].owner));
	}
	check_again(arena, tx);
}

static void check_page(struct arena *arena, const struct proposal_api *api,
                       const struct proposal_place *place, struct bytes body)
{
	struct proposal_page page;

	if (api->parse_page(arena, &page, place, body, NULL) != 0) {
		PROPERTY(page.count == 0);
		return;
	}
	PROPERTY((page.refused > 0) == (page.refusal != NULL));
	for (size_t i = 0; i < page.count; i++)
		check_tx(arena, &page.items[i], &place->safe);
}

static void check_others(struct arena *arena, struct bytes body)
{
	struct proposal_delegate *delegates;
	struct tx_service_safe safe;
	struct buf line = {0};
	size_t count;

	if (tx_service_parse_safe(arena, &safe, body, NULL) != 0)
		PROPERTY(safe.owner_count == 0 && safe.version == NULL);
	else
		PROPERTY(safe.threshold <= 1000000);
	if (proposal_parse_delegates(arena, &delegates, &count, body, NULL) != 0)
		PROPERTY(delegates == NULL && count == 0);
	proposal_error(&line, 422, body);
	PROPERTY(line.len > 0 && line.len < 1000);
	for (size_t i = 0; i < line.len; i++)
		PROPERTY(line.data[i] >= ' ' && line.data[i] <= '~');
	buf_free(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes body = bytes_of(data, size);
	struct arena arena = {0};
	const struct proposal_place place = {CHAIN_ID, safe_asked(body)};
	const struct proposal_api *const apis[] = {&tx_service_api, &queue_service_api};

	for (size_t i = 0; i < sizeof(apis) / sizeof(apis[0]); i++) {
		struct proposal_tx tx;
		if (apis[i]->parse_tx(&arena, &tx, &place, body, NULL) == 0)
			check_tx(&arena, &tx, &place.safe);
		check_page(&arena, apis[i], &place, body);
	}
	check_others(&arena, body);
	arena_free(&arena);
	return 0;
}
