#include "common/governance/calls.h"

#include "common/governance/registry.h"

#include <stdlib.h>
#include <string.h>

static bool removes(const struct contract_call *call)
{
	if (call->data.len < 4)
		return false;
	for (int kind = KIND_OS_IMAGE; kind <= KIND_LAST; kind++) {
		if (memcmp(call->data.data, kind_selector((enum kind)kind, ACTION_REMOVE), 4) == 0)
			return true;
	}
	return false;
}

static int bytes_compare(struct bytes a, struct bytes b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

static int call_compare(const void *left, const void *right)
{
	const struct contract_call *a = left, *b = right;

	if (removes(a) != removes(b))
		return removes(a) ? -1 : 1;
	int order = address_compare(&a->to, &b->to);
	return order != 0 ? order : bytes_compare(a->data, b->data);
}

void calls_order(struct contract_call *calls, size_t count)
{
	if (count > 1)
		qsort(calls, count, sizeof(*calls), call_compare);
}
