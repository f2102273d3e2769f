#include "common/config/tree.h"

#include <string.h>
#include <yaml.h>

enum { MAX_DEPTH = 8, MAX_CHILDREN = 16384 };

struct reader {
	struct arena *arena;
	yaml_parser_t parser;
	const char *name;
	struct error *error;
};

static unsigned line_of(const yaml_event_t *event)
{
	return (unsigned)event->start_mark.line + 1;
}

static int next_event(struct reader *reader, yaml_event_t *event)
{
	yaml_parser_t *parser = &reader->parser;

	if (yaml_parser_parse(parser, event))
		return 0;
	size_t line = parser->problem_mark.line + 1;
	return error_set(reader->error, ERR_INVALID, "%s:%zu: not valid YAML: %s%s%s", reader->name,
	                 line, parser->problem != NULL ? parser->problem : "unreadable",
	                 parser->context != NULL ? ", " : "",
	                 parser->context != NULL ? parser->context : "");
}

static int refuse(struct reader *reader, unsigned line, const char *what)
{
	return error_set(reader->error, ERR_INVALID, "%s:%u: %s", reader->name, line, what);
}

static bool is_null(const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;

	return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static int read_scalar(struct reader *reader, const yaml_event_t *event, struct tree_node *node)
{
	struct bytes value = bytes_of(event->data.scalar.value, event->data.scalar.length);

	if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL)
		return refuse(reader, node->line,
		              "anchors and tags are not supported; write the value itself");
	if (memchr(value.data, '\0', value.len) != NULL)
		return refuse(reader, node->line, "a value contains a NUL character");
	node->type = TREE_SCALAR;
	node->text = is_null(event) ? NULL : arena_text(reader->arena, value);
	return 0;
}

static int read_children(struct reader *reader, struct tree_node *parent, unsigned depth);

static int read_node(struct reader *reader, const yaml_event_t *event, struct tree_node *node,
                     unsigned depth)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(reader, event, node);
	case YAML_SEQUENCE_START_EVENT:
		if (event->data.sequence_start.anchor != NULL ||
		    event->data.sequence_start.tag != NULL)
			return refuse(reader, line_of(event), "anchors and tags are not supported");
		node->type = TREE_LIST;
		return read_children(reader, node, depth + 1);
	case YAML_MAPPING_START_EVENT:
		if (event->data.mapping_start.anchor != NULL ||
		    event->data.mapping_start.tag != NULL)
			return refuse(reader, line_of(event), "anchors and tags are not supported");
		node->type = TREE_MAP;
		return read_children(reader, node, depth + 1);
	default:
		return refuse(reader, line_of(event),
		              "aliases are not supported; write the value itself");
	}
}

/* The event at hand is a map's key: keeps it in node and moves on to the event of its value. */
static int read_key(struct reader *reader, yaml_event_t *event, const struct tree_node *parent,
                    struct tree_node *node)
{
	if (event->type != YAML_SCALAR_EVENT)
		return refuse(reader, line_of(event), "a key must be a plain word");
	int rc = read_scalar(reader, event, node);
	if (rc != 0)
		return rc;
	if (node->text == NULL)
		return refuse(reader, node->line, "a key is missing before \":\"");
	const struct tree_node *before = tree_get(parent, node->text);
	if (before != NULL)
		return error_set(reader->error, ERR_INVALID,
		                 "%s:%u: \"%s\" is given a second time; the first is on line %u",
		                 reader->name, node->line, node->text, before->line);
	node->key = node->text;
	node->text = NULL;
	yaml_event_delete(event);
	rc = next_event(reader, event);
	if (rc == 0 && event->type == YAML_SCALAR_EVENT && !is_null(event))
		node->line = line_of(event);
	return rc;
}

static int read_children(struct reader *reader, struct tree_node *parent, unsigned depth)
{
	struct tree_node **tail = &parent->first;
	yaml_event_t event = {0};

	for (size_t count = 0;; count++) {
		int rc = next_event(reader, &event);
		if (rc != 0)
			return rc;
		if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT)
			break;
		struct tree_node *node = arena_alloc(reader->arena, sizeof(*node));
		node->line = line_of(&event);
		if (depth > MAX_DEPTH || count >= MAX_CHILDREN)
			rc = refuse(reader, node->line, "nested too deeply, or too many entries");
		if (rc == 0 && parent->type == TREE_MAP)
			rc = read_key(reader, &event, parent, node);
		if (rc == 0)
			rc = read_node(reader, &event, node, depth);
		yaml_event_delete(&event);
		if (rc != 0)
			return rc;
		*tail = node;
		tail = &node->next;
	}
	yaml_event_delete(&event);
	return 0;
}

/* Everything up to the root's own event. */
static int read_document(struct reader *reader, struct tree_node *root)
{
	yaml_event_t event = {0};
	int rc;

	do {
		yaml_event_delete(&event);
		rc = next_event(reader, &event);
		if (rc != 0)
			return rc;
	} while (event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT);

	root->line = 1;
	if (event.type == YAML_MAPPING_START_EVENT)
		rc = read_node(reader, &event, root, 0);
	else
		rc = refuse(reader, event.type == YAML_STREAM_END_EVENT ? 1 : line_of(&event),
		            "expected options, one \"name: value\" per line");
	yaml_event_delete(&event);
	if (rc != 0)
		return rc;

	rc = next_event(reader, &event); /* the document's end */
	if (rc != 0)
		return rc;
	yaml_event_delete(&event);
	rc = next_event(reader, &event);
	if (rc != 0)
		return rc;
	if (event.type != YAML_STREAM_END_EVENT)
		rc = refuse(reader, line_of(&event), "a second document begins; expected one");
	yaml_event_delete(&event);
	return rc;
}

int tree_parse(struct arena *arena, struct tree_node **root, const char *name, struct bytes text,
               struct error *error)
{
	struct reader reader = {.arena = arena, .name = name, .error = error};

	*root = NULL;
	if (!yaml_parser_initialize(&reader.parser))
		die("libyaml could not start");
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, text.len > 0 ? text.data : (const uint8_t *)"",
	                             text.len);
	struct tree_node *node = arena_alloc(arena, sizeof(*node));
	int rc = read_document(&reader, node);
	yaml_parser_delete(&reader.parser);
	if (rc == 0)
		*root = node;
	return rc;
}

const struct tree_node *tree_get(const struct tree_node *map, const char *key)
{
	if (map == NULL || map->type != TREE_MAP)
		return NULL;
	for (const struct tree_node *node = map->first; node != NULL; node = node->next)
		if (strcmp(node->key, key) == 0)
			return node;
	return NULL;
}

size_t tree_count(const struct tree_node *node)
{
	size_t count = 0;

	for (const struct tree_node *child = node->first; child != NULL; child = child->next)
		count++;
	return count;
}
