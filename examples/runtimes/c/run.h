// A run from its order to its answer, as the runtime sees it; and the calls of tools that it makes.

#ifndef RUN_H
#define RUN_H

#include <nats/nats.h>
#include <pthread.h>

#include "runtime.h"
#include "wire.h"

enum kind { AGENT, TOOL };

struct run {
    struct run *next;
    enum kind kind;
    handler handler;
    struct cause cause;
    /// workflow, task, agent and tool, as they came.
    cJSON *sections;
    cJSON *input;
    char id[65];
    uuid exec_id;
    int attempt;
    char *reply_to;
    int64_t began_at, timeout_ms;

    /// All that follows is changed under the lock.
    const char *stop_cause;
    char *stop_reason;
    int64_t stopped_at;
    bool is_at_work, is_over, has_thought;
    int64_t ended_at;
    int seq;
    char *failure_code, *failure_message;
    /// The result as it was sent, to be sent again.
    char *answer;
    uuid answer_id;
};

/// What a runtime says of itself: {"id", "exec_id"}.
extern cJSON *own_section;

/// A run that an order asks for; the body stays the caller's.
struct run *run_new(enum kind kind, handler handler, const cJSON *body, const struct cause *cause, const char *reply);
/// A thread of its own for its handler; false if there can be none.
bool run_begin(struct run *run);
/// It is to end. Once given up is given up: a later cancel with another cause brings no caller back.
void run_stop(struct run *run, const char *cause, const char *reason);
bool run_is_stopping(struct run *run);
/// Ends it without its handler: it was not begun, or does not stop.
void run_refuse(struct run *run, const char *code, const char *message, cJSON *details);
/// Its order came again: the same answer, if there is one, and nothing else.
void run_repeat(struct run *run);
/// What only time brings: its caller must have given it up, or it does not stop.
void run_tick(struct run *run);
bool run_is_over(struct run *run);
/// Whether nobody needs it any more, also not its own thread.
bool run_is_forgotten(struct run *run, int64_t horizon);
void run_free(struct run *run);

/// For all runs and calls: they change under it, and it is told when they do.
extern pthread_mutex_t run_lock;
extern pthread_cond_t run_changed;
/// Waits for any change, and until a time at the longest. Under the lock.
void run_await(int64_t until_ms);
/// {"status", "result", "context": {"attempt"}}; without a status the context alone. The result is used up.
cJSON *run_payload(const struct run *run, const char *status, cJSON *result);
/// {"error": {"code", "message", "details"}}; the details are used up.
cJSON *run_error(const char *code, const char *message, cJSON *details);
/// Whoever watches an agent sees that it thinks before it acts, whether it says so or not.
void run_think(struct run *run);

/// A tool has answered, or nobody serves it. The message is used up.
void calls_hear(natsMsg *answer);
/// What was asked while there was no connection is asked again.
void calls_again(void);

#endif
