/* One option's value: from text into its field, and back. Inside this room only. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "common/config/options.h"

/* Reads text as option says into the struct at base; what it points at lives in the config's
 * arena. Errors say what was found and what is expected, without the place. */
int value_read(const struct option *option, struct config *config, void *base, const char *text,
               struct error *error) MUST_USE;
/* OPTION_URL_LIST: appends one. */
int value_read_item(const struct option *option, struct config *config, void *base,
                    const char *text, struct error *error) MUST_USE;

/* False when the field is not set. Scalars only. */
bool value_write(struct buf *out, const struct option *option, const void *base);

/* "a duration from 50ms to 1h": for errors and documentation. */
void value_expected(struct buf *out, const struct option *option);

#endif
