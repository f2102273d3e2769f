/* The head of an HTTP/1.1 request, read strictly: what two readers could understand differently is
 * refused. No folding, no bare CR or LF, no chunked bodies, no field twice that may stand once. */
#ifndef IO_HTTP_HEAD_H
#define IO_HTTP_HEAD_H

#include "common/base/arena.h"

enum { HTTP_HEAD_MAX = 16 * 1024, HTTP_FIELDS_MAX = 64 };

struct http_field {
	const char *name, *value;
};

struct http_head {
	const char *method; /* "PUT" */
	const char *path;   /* "/v1/..." as sent, without the query */
	const char *query;  /* behind "?", or NULL */
	struct http_field *fields;
	size_t field_count;
	uint64_t content_length; /* 0 when there is none */
	bool keep_alive, expects_continue;
	int refusal; /* status to answer with when http_head_parse failed */
};

/* text: everything up to and including the empty line. ERR_INVALID with out->refusal (400, 411,
 * 417, 431 or 505) set; everything lives in the arena. */
int http_head_parse(struct arena *arena, struct http_head *out, struct bytes text,
                    struct error *error) MUST_USE;
/* The field's value, NULL when it is absent; name in any case. The first of several. */
const char *http_head_field(const struct http_head *head, const char *name);
/* The token of "Authorization: Bearer TOKEN", or NULL. */
const char *http_head_bearer(const struct http_head *head);

#endif
