/* Heads of HTTP requests: what is accepted means one thing only, and says the same when its fields
 * are written out again; what is refused has a status to answer with. */
#include "daemon/io/http_head.h"
#include "tests/fuzz/fuzz.h"

static void write_head(struct buf *out, const struct http_head *head)
{
	buf_printf(out, "%s %s%s%s HTTP/1.1\r\n", head->method, head->path,
	           head->query != NULL ? "?" : "", head->query != NULL ? head->query : "");
	for (size_t i = 0; i < head->field_count; i++)
		buf_printf(out, "%s: %s\r\n", head->fields[i].name, head->fields[i].value);
	buf_append_text(out, "\r\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	struct http_head head, again;
	struct buf text = {0};

	if (http_head_parse(&arena, &head, bytes_of(data, size), NULL) != 0) {
		PROPERTY(head.refusal >= 400 && head.refusal <= 505);
		goto out;
	}
	PROPERTY(head.refusal == 0 && head.path[0] == '/' && head.method[0] != '\0');
	PROPERTY(head.field_count <= HTTP_FIELDS_MAX && http_head_field(&head, "host") != NULL);
	PROPERTY(http_head_field(&head, "Transfer-Encoding") == NULL);
	write_head(&text, &head);
	PROPERTY(http_head_parse(&arena, &again, buf_bytes(&text), NULL) == 0);
	PROPERTY(again.content_length == head.content_length &&
	         again.keep_alive == head.keep_alive);
	PROPERTY(again.field_count == head.field_count && strcmp(again.path, head.path) == 0);
	PROPERTY((http_head_bearer(&again) == NULL) == (http_head_bearer(&head) == NULL));
out:
	buf_free(&text);
	arena_free(&arena);
	return 0;
}
