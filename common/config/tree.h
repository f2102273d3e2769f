/* YAML text as a tree of scalars, lists and maps with line numbers. The only includer of libyaml.
 *
 * Deliberately less than YAML: one document, no anchors, aliases, tags or merge keys, keys are
 * scalars, and a key stands once in its map. A scalar is text whatever it looks like; the option
 * table gives it a type. */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include "common/base/arena.h"

enum tree_type { TREE_SCALAR, TREE_LIST, TREE_MAP };

struct tree_node {
	enum tree_type type;
	unsigned line;    /* 1-based; of the key when a collection or an empty value has one */
	const char *key;  /* in a map, else NULL */
	const char *text; /* TREE_SCALAR; NULL for an empty one, "~" or "null" */
	struct tree_node *first; /* TREE_LIST, TREE_MAP: children in the order of the text */
	struct tree_node *next;  /* sibling */
};

/* The root is a map. Errors read "<name>:<line>: ...". */
int tree_parse(struct arena *arena, struct tree_node **root, const char *name, struct bytes text,
               struct error *error) MUST_USE;

/* The member called key, or NULL; map may be NULL. */
const struct tree_node *tree_get(const struct tree_node *map, const char *key);
size_t tree_count(const struct tree_node *node);

#endif
