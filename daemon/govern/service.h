/* Talking to the one service that keeps a Safe's queue: requests out, answers in. */
#ifndef GOVERN_SERVICE_H
#define GOVERN_SERVICE_H

#include "common/config/config.h"
#include "daemon/io/http.h"

struct service;
struct service_call; /* a request under way */

/* Reads the API key file, if one is configured. */
int service_new(struct service **out, struct http *http, const struct config_service *config,
                struct error *error) MUST_USE;
void service_free(struct service *service); /* NULL is fine */
/* Every request is counted there from now on. With a loop, one that is over the budget is not made:
 * it fails with ERR_UNAVAILABLE, as if the service had said so. */
struct budget;
struct loop;
void service_set_budget(struct service *service, struct budget *budget, struct loop *loop);
/* What its clock says, as far as its answers told: its tokens go by that, not by ours. */
struct wall service_now(const struct service *service);
/* How this service is asked, and its answers read. */
const struct proposal_api *service_api(const struct service *service);
void service_cancel(struct service_call *call); /* NULL is fine: no callback */

/* How a request went. code 0, or ERR_UNAVAILABLE (no answer, 429, 5xx: try again), ERR_NOT_FOUND
 * (404), ERR_DENIED (refused; the text is the service's reason), ERR_LIMIT (answer too large). */
struct service_result {
	struct error error;
	int64_t retry_after_ms; /* -1: not said */
	struct bytes body;      /* valid during the callback */
};

/* Exactly once unless cancelled, never from inside service_send. path comes from service_api; an
 * empty body means GET, any other POST. */
typedef void service_fn(const struct service_result *result, void *arg);
struct service_call *service_send(struct service *service, const char *path, struct bytes body,
                                  service_fn *done, void *arg);

/* The same with DELETE. */
struct service_call *service_delete(struct service *service, const char *path, struct bytes body,
                                    service_fn *done, void *arg);

/* How long to wait before asking about the same thing again, for one that has been pending for
 * age_ms: never shorter than poll_ms, longer as it ages. One that stays pending for
 * two days costs at most 60 requests at the default poll. */
int64_t service_interval_ms(int64_t poll_ms, int64_t age_ms);

#endif
