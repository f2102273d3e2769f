#include "tests/unit/node.h"

#include "common/crypto/hash.h"
#include "common/eth/abi.h"
#include "common/eth/jsonrpc.h"
#include "common/eth/multicall.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hash32 node_hash(const struct node *node, uint64_t number)
{
	struct hash32 hash = {{0xb0}};

	be64_put(hash.b + 24, number);
	if (node->fork != 0 && number >= node->fork_from)
		hash.b[1] = node->fork;
	return hash;
}

static uint64_t number_of(const struct node *node, const char *tag)
{
	if (strcmp(tag, "latest") == 0)
		return node->head;
	return strcmp(tag, "finalized") == 0 ? node->finalized : strtoull(tag + 2, NULL, 16);
}

static void answer_error(struct jval *answer, int64_t code, const char *message)
{
	struct jval *error = jval_object();

	jval_add_int(error, "code", code);
	jval_add_string(error, "message", message);
	jval_add(answer, "error", error);
}

static void answer_block(struct node *node, struct jval *answer, const char *tag)
{
	uint64_t number = number_of(node, tag);
	struct hash32 hash = node_hash(node, number);
	struct jval *block;

	if (strcmp(tag, "latest") == 0)
		node->heads++;
	else if (tag[0] == '0')
		node->by_number++;
	if (strcmp(tag, "finalized") == 0 && node->finalized_refused) {
		answer_error(answer, node->finalized_words != NULL ? -32603 : -32602,
		             node->finalized_words != NULL ? node->finalized_words
		                                           : "invalid block tag");
		return;
	}
	if (number > node->head || (strcmp(tag, "finalized") == 0 && node->finalized_null)) {
		jval_add(answer, "result", jval_new_null());
		return;
	}
	uint64_t age = node->blocks_per_second > 0 ? number / node->blocks_per_second : 2 * number;
	block = jval_object();
	jval_add(block, "number", jsonrpc_new_quantity(number));
	jval_add_hash32(block, "hash", &hash);
	jval_add(block, "timestamp", jsonrpc_new_quantity(node->genesis_time + age));
	jval_add(block, "baseFeePerGas", jsonrpc_new_quantity(node->base_fee));
	if (node->gas_limit != 0)
		jval_add(block, "gasLimit", jsonrpc_new_quantity(node->gas_limit));
	jval_add(answer, "result", block);
}

/* What a contract answers: a word that ends in the first byte of the call; 0xff reverts. */
static bool call_contract(const struct node *node, const struct address *to, struct bytes data,
                          struct buf *returned)
{
	if (node->contract != NULL)
		return node->contract(to, data, returned, node->arg);
	if (node->reverts_all || (data.len > 0 && data.data[0] == 0xff)) {
		buf_append(returned, "\xde\xad\xbe\xef", 4);
		return false;
	}
	buf_append_zeros(returned, 31);
	buf_append_byte(returned, (uint8_t)((data.len > 0 ? data.data[0] : 0) ^ node->lie));
	return true;
}

static void call_multicall(const struct node *node, struct bytes calldata, struct buf *returned)
{
	static const uint8_t aggregate3[4] = {0x82, 0xad, 0x56, 0xcb};
	struct abi_reader call = abi_read_call(calldata, aggregate3);
	size_t count;
	struct abi_reader items = abi_get_array(&call, 1, &count);
	struct abi_writer top = abi_begin(returned, 1);

	abi_put_tail(&top);
	struct abi_writer array = abi_begin_array(returned, count);
	for (size_t i = 0; i < count; i++) {
		struct abi_reader item = abi_get_tuple(&items);
		struct buf one = {0};
		struct address to = abi_get_address(&item);
		(void)abi_get_bool(&item);
		bool success = call_contract(node, &to, abi_get_bytes(&item), &one);
		abi_put_tail(&array);
		struct abi_writer result = abi_begin(returned, 2);
		abi_put_bool(&result, success);
		abi_put_bytes(&result, buf_bytes(&one));
		buf_free(&one);
	}
	if (call.failed)
		die("not a multicall");
}

/* The block a call is pinned to; false when an error was answered instead. */
static bool pinned_block(struct node *node, const struct jval *block, struct jval *answer,
                         uint64_t *number)
{
	const char *hash_text = jval_get_string(block, "blockHash");
	struct hash32 hash, ours;

	if (jval_is_string(block)) {
		*number = number_of(node, jval_string(block));
	} else if (node->no_block_hash) {
		answer_error(answer, -32602, "invalid argument 1: expected a block number");
		return false;
	} else if (hash_text == NULL || hash32_parse(&hash, hash_text, NULL) != 0) {
		die("a call without a block");
	} else {
		*number = be64_get(hash.b + 24);
		ours = node_hash(node, *number);
		if (!hash32_equal(&hash, &ours)) {
			answer_error(answer, -32001, "Resource not found");
			return false;
		}
	}
	if (*number > node->head ||
	    (node->deaf_above > 0 && *number > node->deaf_above && node->deaf_times > 0)) {
		if (node->deaf_times > 0)
			node->deaf_times--;
		answer_error(answer, -32000, "header not found");
		return false;
	}
	return true;
}

static void answer_call(struct node *node, const struct jval *params, struct jval *answer)
{
	const struct jval *call = jval_at(params, 0);
	struct arena arena = {0};
	struct buf returned = {0};
	struct address to;
	struct bytes data;
	uint64_t number;

	node->calls++;
	if (jsonrpc_address(&to, jval_get(call, "to"), NULL) != 0 ||
	    jsonrpc_hex(&data, &arena, jval_get(call, "data"), NULL) != 0)
		die("not a call");
	if (!pinned_block(node, jval_at(params, 1), answer, &number)) {
		/* answered */
	} else if (number < node->created_at) {
		jval_add_string(answer, "result", "0x");
	} else if (address_equal(&to, &multicall_address) && node->has_multicall) {
		call_multicall(node, data, &returned);
		jval_add_hex(answer, "result", buf_bytes(&returned));
	} else if (call_contract(node, &to, data, &returned)) {
		jval_add_hex(answer, "result", buf_bytes(&returned));
	} else {
		struct jval *error = jval_object(), *inner = jval_object();
		jval_add_int(error, "code", 3);
		jval_add_string(error, "message", "execution reverted");
		if (!node->no_revert_data)
			jval_add_hex(inner, "data", buf_bytes(&returned));
		jval_add(error, "data", inner);
		jval_add(answer, "error", error);
	}
	buf_free(&returned);
	arena_free(&arena);
}

static bool in_list(const struct jval *list, const char *text)
{
	for (size_t i = 0; i < jval_count(list); i++)
		if (strcmp(jval_string(jval_at(list, i)), text) == 0)
			return true;
	return false;
}

static struct jval *log_value(const struct node *node, const struct node_log *log)
{
	struct jval *value = jval_object(), *topics = jval_array();
	struct hash32 block = node_hash(node, log->block), tx = {{0x77, (uint8_t)log->index}};
	char text[HASH32_TEXT_SIZE];

	for (unsigned i = 0; i < log->topic_count; i++)
		jval_push(topics, jval_new_string(hash32_text(text, &log->topics[i])));
	jval_add(value, "address", jsonrpc_new_address(&log->address));
	jval_add(value, "topics", topics);
	jval_add_hex(value, "data", log->data);
	jval_add(value, "blockNumber", jsonrpc_new_quantity(log->block));
	jval_add_hash32(value, "blockHash", &block);
	jval_add_hash32(value, "transactionHash", &tx);
	jval_add(value, "logIndex", jsonrpc_new_quantity(log->index));
	jval_add_bool(value, "removed", false);
	return value;
}

static void answer_logs(struct node *node, const struct jval *params, struct jval *answer)
{
	const struct jval *filter = jval_at(params, 0);
	struct jval *result = jval_array();
	char text[ADDRESS_TEXT_SIZE], topic[HASH32_TEXT_SIZE];

	node->get_logs++;
	node->last_from = number_of(node, jval_get_string(filter, "fromBlock"));
	node->last_to = number_of(node, jval_get_string(filter, "toBlock"));
	if (node->longest_range > 0 && node->last_to - node->last_from >= node->longest_range) {
		answer_error(answer, -32005, node->range_refusal);
		jval_free(result);
		return;
	}
	/* From the newest on: the order is not promised. */
	for (size_t i = node->log_count; i-- > 0;) {
		const struct node_log *log = &node->logs[i];
		if (log->block >= node->last_from && log->block <= node->last_to &&
		    log->block <= node->head &&
		    in_list(jval_get(filter, "address"), address_lower(text, &log->address)) &&
		    in_list(jval_at(jval_get(filter, "topics"), 0),
		            hash32_text(topic, &log->topics[0])))
			jval_push(result, log_value(node, log));
	}
	jval_add(answer, "result", result);
}

static const char multicall_code[] = "0x60";

struct hash32 node_multicall_code(void)
{
	return keccak256(bytes_of("\x60", 1));
}

static void answer_code(struct node *node, const struct jval *params, struct jval *answer)
{
	char multicall[ADDRESS_TEXT_SIZE];
	uint64_t number;

	node->get_codes++;
	if (!pinned_block(node, jval_at(params, 1), answer, &number))
		return;
	address_lower(multicall, &multicall_address);
	if (number < node->state_from)
		answer_error(answer, -32000, "missing trie node");
	else if (strcmp(jval_string(jval_at(params, 0)), multicall) == 0)
		jval_add_string(answer, "result", node->has_multicall ? multicall_code : "0x");
	else
		jval_add_string(answer, "result", number >= node->created_at ? "0x6001" : "0x");
}

static void answer_method(struct node *node, const char *method, const struct jval *params,
                          struct jval *answer)
{
	struct jval *result = node->method != NULL ? node->method(method, params, node->arg) : NULL;

	if (result != NULL) {
		jval_add(answer, "result", result);
	} else if (strcmp(method, "eth_chainId") == 0) {
		node->chain_ids++;
		jval_add(answer, "result", jsonrpc_new_quantity(node->chain_id));
	} else if (strcmp(method, "eth_getBlockByNumber") == 0) {
		answer_block(node, answer, jval_string(jval_at(params, 0)));
	} else if (strcmp(method, "eth_call") == 0) {
		answer_call(node, params, answer);
	} else if (strcmp(method, "eth_getLogs") == 0) {
		answer_logs(node, params, answer);
	} else if (strcmp(method, "eth_getCode") == 0) {
		answer_code(node, params, answer);
	} else {
		answer_error(answer, -32601, "the method does not exist");
	}
}

static bool is_silent_range(const struct node *node, const struct jval *document)
{
	const struct jval *filter = jval_at(jval_get(document, "params"), 0);

	if (node->silent_range == 0 ||
	    strcmp(jval_get_string(document, "method"), "eth_getLogs") != 0)
		return false;
	return number_of(node, jval_get_string(filter, "toBlock")) -
	               number_of(node, jval_get_string(filter, "fromBlock")) >=
	       node->silent_range;
}

static void serve(const struct httpd_request *request, struct httpd_reply *reply, void *arg)
{
	struct node *node = arg;
	struct jval *document;
	int64_t id;

	node->requests++;
	reply->hang = node->hang;
	if (node->hang)
		return;
	if (node->fail_times > 0) {
		node->fail_times--;
		reply->status = node->fail_status;
		reply->drop = node->fail_status == 0;
		if (node->fail_headers != NULL)
			snprintf(reply->headers, sizeof(reply->headers), "%s", node->fail_headers);
		return;
	}
	if (jval_parse(&document, request->body, NULL) != 0 ||
	    jval_get_int(document, "id", &id) != 0)
		die("not a JSON-RPC request");
	if (is_silent_range(node, document)) {
		reply->drop = true;
		jval_free(document);
		return;
	}
	struct jval *answer = jval_object();
	jval_add_string(answer, "jsonrpc", "2.0");
	jval_add_int(answer, "id", id);
	answer_method(node, jval_get_string(document, "method"), jval_get(document, "params"),
	              answer);
	jval_write(&reply->body, answer, JVAL_COMPACT);
	jval_free(answer);
	jval_free(document);
}

void node_start(struct node *node, struct loop *loop)
{
	*node = (struct node){.chain_id = 31337, .head = 1000, .finalized = 936};
	node->genesis_time = 1000;
	node->base_fee = 1000000000;
	node->has_multicall = true;
	node->range_refusal = "query returned more than 10000 results";
	node->httpd = httpd_new(loop, serve, node);
}

void node_stop(struct node *node)
{
	httpd_free(node->httpd);
	node->httpd = NULL;
}
