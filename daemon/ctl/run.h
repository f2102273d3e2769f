/* What registrarctl does with a parsed command line. Each returns the exit code. */
#ifndef CTL_RUN_H
#define CTL_RUN_H

#include "daemon/api/control.h"
#include "daemon/ctl/options.h"

enum exit_code run_remote(const struct ctl_options *options); /* one question, one answer */
enum exit_code run_wait(const struct ctl_options *options);
enum exit_code run_log(const struct ctl_options *options);
enum exit_code run_check(const struct ctl_options *options);
enum exit_code run_backup(const struct ctl_options *options);
enum exit_code run_inspect(const struct ctl_options *options); /* no daemon */

/* "registrarctl: ..." to stderr, made safe for a terminal. */
void run_complain(const char *fmt, ...) PRINTF(1, 2);
/* JSON to stdout, indented, with a line's end. */
struct jval;
void run_print_json(const struct jval *value);
/* All of out to stdout, and releases it. */
void run_print(struct buf *out);

#endif
