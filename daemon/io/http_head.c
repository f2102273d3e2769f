#include "daemon/io/http_head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char token_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "!#$%&'*+-.^_`|~";

static int refuse(struct http_head *head, struct error *error, int status, const char *what)
{
	head->refusal = status;
	return error_set(error, ERR_INVALID, "%s", what);
}

static bool is_token(const char *text)
{
	return text[0] != '\0' && text[strspn(text, token_chars)] == '\0';
}

/* Only what can stand in a line: no control characters but the tab, so no CR, LF or NUL either. */
static bool is_line(struct bytes line)
{
	for (size_t i = 0; i < line.len; i++)
		if ((line.data[i] < 0x20 && line.data[i] != '\t') || line.data[i] == 0x7f)
			return false;
	return true;
}

/* Cuts the line off the front of text. False when there is none that ends in CR LF. */
static bool next_line(struct arena *arena, struct bytes *text, char **out)
{
	const uint8_t *end = memchr(text->data, '\n', text->len);
	size_t len = end != NULL ? (size_t)(end - text->data) : 0;

	*out = NULL;
	if (len == 0 || text->data[len - 1] != '\r' || !is_line(bytes_of(text->data, len - 1)))
		return false;
	*out = arena_text(arena, bytes_of(text->data, len - 1));
	*text = bytes_of(end + 1, text->len - len - 1);
	return true;
}

static int read_request_line(struct http_head *head, char *line, struct error *error)
{
	char *target = strchr(line, ' ');
	char *version = target != NULL ? strchr(target + 1, ' ') : NULL;

	if (version == NULL)
		return refuse(head, error, 400, "expected a method, a path and HTTP/1.1");
	*target++ = '\0';
	*version++ = '\0';
	if (strcmp(version, "HTTP/1.1") != 0)
		return refuse(head, error, strncmp(version, "HTTP/", 5) == 0 ? 505 : 400,
		              "expected HTTP/1.1");
	if (!is_token(line) || target[0] != '/')
		return refuse(head, error, 400, "expected a method and a path");
	for (const char *p = target; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || *p == '#')
			return refuse(head, error, 400,
			              "a character in the path that none may hold");
	head->method = line;
	head->path = target;
	char *query = strchr(target, '?');
	if (query != NULL) {
		*query = '\0';
		head->query = query + 1;
	}
	return 0;
}

static int read_field(struct http_head *head, char *line, struct error *error)
{
	char *colon = strchr(line, ':');

	if (head->field_count == HTTP_FIELDS_MAX)
		return refuse(head, error, 431, "too many header fields");
	if (colon == NULL)
		return refuse(head, error, 400, "a header field without a colon");
	*colon = '\0';
	if (!is_token(line))
		return refuse(head, error, 400, "a header field with a bad name");
	char *value = colon + 1 + strspn(colon + 1, " \t");
	size_t len = strlen(value);
	while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		value[--len] = '\0';
	head->fields[head->field_count++] = (struct http_field){line, value};
	return 0;
}

static size_t count_fields(const struct http_head *head, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < head->field_count; i++)
		count += strcasecmp(head->fields[i].name, name) == 0;
	return count;
}

const char *http_head_field(const struct http_head *head, const char *name)
{
	for (size_t i = 0; i < head->field_count; i++)
		if (strcasecmp(head->fields[i].name, name) == 0)
			return head->fields[i].value;
	return NULL;
}

const char *http_head_bearer(const struct http_head *head)
{
	const char *value = http_head_field(head, "Authorization");

	if (value == NULL || strncasecmp(value, "Bearer ", 7) != 0)
		return NULL;
	value += 7 + strspn(value + 7, " ");
	return value[0] != '\0' && strchr(value, ' ') == NULL ? value : NULL;
}

static int read_length(struct http_head *head, struct error *error)
{
	const char *length = http_head_field(head, "Content-Length");

	if (http_head_field(head, "Transfer-Encoding") != NULL)
		return refuse(head, error, 411,
		              "no Transfer-Encoding is understood; send a Content-Length");
	if (length == NULL)
		return 0;
	size_t digits = strspn(length, "0123456789");
	if (digits == 0 || digits > 18 || length[digits] != '\0')
		return refuse(head, error, 400, "Content-Length is not a number");
	head->content_length = strtoull(length, NULL, 10);
	return 0;
}

static int read_meaning(struct http_head *head, struct error *error)
{
	static const char *const once[] = {"Host",          "Content-Length", "Content-Range",
	                                   "Authorization", "Expect",         "Connection"};
	const char *connection = http_head_field(head, "Connection");
	const char *expect = http_head_field(head, "Expect");

	for (size_t i = 0; i < ARRAY_LEN(once); i++)
		if (count_fields(head, once[i]) > 1)
			return refuse(head, error, 400, "a header field stands twice");
	if (http_head_field(head, "Host") == NULL)
		return refuse(head, error, 400, "Host is missing");
	if (expect != NULL && strcasecmp(expect, "100-continue") != 0)
		return refuse(head, error, 417, "nothing but 100-continue can be expected");
	head->expects_continue = expect != NULL;
	head->keep_alive = connection == NULL || strcasestr(connection, "close") == NULL;
	return read_length(head, error);
}

int http_head_parse(struct arena *arena, struct http_head *out, struct bytes text,
                    struct error *error)
{
	char *line;

	*out = (struct http_head){0};
	out->fields = arena_array(arena, HTTP_FIELDS_MAX, sizeof(*out->fields));
	if (!next_line(arena, &text, &line))
		return refuse(out, error, 400, "a broken request line");
	int rc = read_request_line(out, line, error);
	while (rc == 0) {
		if (!next_line(arena, &text, &line))
			return refuse(out, error, 400, "a broken header field");
		if (line[0] == '\0')
			break;
		rc = read_field(out, line, error);
	}
	if (rc == 0 && text.len > 0)
		return refuse(out, error, 400, "bytes behind the head");
	return rc == 0 ? read_meaning(out, error) : rc;
}
