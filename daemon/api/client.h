/* One connection to the control socket, as its commands see it. Inside this room only. */
#ifndef API_CLIENT_H
#define API_CLIENT_H

#include "daemon/api/control.h"

struct client;

/* What every command works on. */
const struct control_parts *client_parts(const struct client *client);
struct wall client_daemon_start(const struct client *client);
/* Who asks, for the event log: "uid 1000". Valid as long as the client. */
const char *client_who(const struct client *client);

void client_note(struct client *client, const char *fmt, ...) PRINTF(2, 3);
void client_item(struct client *client, struct jval *item); /* takes item */

/* The last line. Takes json (NULL: null); error may be NULL. Exactly one of these ends every
 * request; the client must not be used afterwards. */
void client_done(struct client *client, enum exit_code code, struct jval *json, const char *error);
void client_fail(struct client *client, enum exit_code code, const char *fmt, ...) PRINTF(3, 4);
void client_done_fd(struct client *client, struct jval *json, int fd); /* takes fd */
/* The exit code that goes with a failure of the store or of govern. */
void client_fail_error(struct client *client, const struct error *error);

/* A question to the chain under way: cancelled when the client leaves. Clear it first thing in the
 * callback. */
void client_set_op(struct client *client, struct govern_op *op);

/* For commands that go on by themselves: again (or NULL) is called when something changed, when all
 * output is gone, and after client_retry, until the request ends. state is freed with the client.
 */
void client_keep(struct client *client, void (*again)(struct client *client, void *state),
                 void *state);
void *client_state(const struct client *client);
void client_retry(struct client *client, int64_t retry_ms);
bool client_retrying(const struct client *client); /* a retry is still to come */
/* Others who wait are looked at soon. */
void client_wake_others(const struct client *client);
/* Bytes that the client has not taken yet. */
size_t client_backlog(const struct client *client);

/* --- the commands ---------------------------------------------------------------------------- */

struct command {
	const char *name;
	void (*run)(struct client *client, const struct jval *args);
};
extern const struct command commands[];
extern const size_t command_count;

void command_wait(struct client *client, const struct jval *args);
void command_log(struct client *client, const struct jval *args);
void command_approve(struct client *client, const struct jval *args);
void command_hold(struct client *client, const struct jval *args);
void command_withdraw(struct client *client, const struct jval *args);
void command_fill(struct client *client, const struct jval *args);
void command_check(struct client *client, const struct jval *args);
void command_drift(struct client *client, const struct jval *args);
void command_resume(struct client *client, const struct jval *args);
void command_register(struct client *client, const struct jval *args);
void command_revoke(struct client *client, const struct jval *args);

/* The arguments "value" and "target". Each ends the request itself when it returns false. */
bool client_get_value(struct client *client, const struct jval *args, struct hash32 *value);
const struct config_target *client_get_target(struct client *client, const struct jval *args,
                                              bool only_one_will_do);
/* "m12" -> 'm', 12. False when it is no id. */
bool client_parse_id(const char *text, char *letter, int64_t *id);

#endif
