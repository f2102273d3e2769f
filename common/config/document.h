/* The documentation of every option, written from the option table. */
#ifndef CONFIG_DOCUMENT_H
#define CONFIG_DOCUMENT_H

#include "common/base/buf.h"

void config_options_markdown(struct buf *out); /* docs/OPTIONS.md */
void config_options_man(struct buf *out);      /* docs/registrard.yaml.5 */

#endif
