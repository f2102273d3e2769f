#include "common/governance/nonce.h"

static bool holds(struct nonce_list list, uint64_t nonce)
{
	for (size_t i = 0; i < list.count; i++) {
		if (list.items[i] == nonce)
			return true;
	}
	return false;
}

uint64_t nonce_lowest_free(uint64_t chain_nonce, struct nonce_list queued, struct nonce_list own)
{
	uint64_t nonce = chain_nonce;

	while (holds(queued, nonce) || holds(own, nonce))
		nonce++;
	return nonce;
}

static uint64_t highest(uint64_t nonce, struct nonce_list list)
{
	for (size_t i = 0; i < list.count; i++) {
		if (list.items[i] > nonce)
			nonce = list.items[i];
	}
	return nonce;
}

bool nonce_hole(uint64_t *hole, uint64_t chain_nonce, struct nonce_list queued,
                struct nonce_list own)
{
	uint64_t free = nonce_lowest_free(chain_nonce, queued, own);
	bool pending_above = highest(highest(0, queued), own) > free;

	*hole = pending_above ? free : 0;
	return pending_above;
}
