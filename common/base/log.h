/* Log lines to stderr in journald's form ("<6>text"). Four levels with an operational meaning. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "common/base/macros.h"

enum log_level {
	LOG_DEBUG,   /* for developers; off unless asked for                      journald 7 */
	LOG_INFO,    /* what an operator expects to see                           journald 6 */
	LOG_UNUSUAL, /* worth a look; the program goes on as designed             journald 4 */
	LOG_BROKEN,  /* needs a person, or a bug: fails every test that sees it   journald 3 */
};

/* The level below which nothing is written (LOG_INFO at start), and the process's role, which
 * stands in front of every line of a child ("measurer", "signer"; NULL for main). */
void log_set_level(enum log_level level);
void log_set_role(const char *role);

/* One line. Control characters and bytes outside ASCII that came in through arguments are written
 * as \xNN, so that no outside party can forge a line. context names the object ("payments: p7")
 * and may be NULL. */
void log_line(enum log_level level, const char *context, const char *fmt, ...) PRINTF(3, 4);

#define log_debug(context, ...) log_line(LOG_DEBUG, context, __VA_ARGS__)
#define log_info(context, ...) log_line(LOG_INFO, context, __VA_ARGS__)
#define log_unusual(context, ...) log_line(LOG_UNUSUAL, context, __VA_ARGS__)
#define log_broken(context, ...) log_line(LOG_BROKEN, context, __VA_ARGS__)

#endif
