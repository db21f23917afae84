#include "run.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "post.h"

/// A handler that is told to stop has so long; its caller waits a second longer.
#define STOP_GRACE_MS 4000
/// How much later than its own time its caller may say that it is over.
#define DEADLINE_GRACE_MS 10000
/// How long a result waits until a stream has it that its run has begun.
#define STARTED_WITHIN_MS 1000

cJSON *own_section;

pthread_mutex_t run_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t run_changed;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/// What agents and tools have different words for.
static const struct {
    const char *entity, *source, *started, *step, *result, *erred, *canceled;
} words[] = {
    {"agent", AGENT_RUNTIME, "AgentExecutionStarted", "AgentStep", "AgentExecutionResult", "AGENT_ERROR",
     "AGENT_CANCELED"},
    {"tool", TOOL_EXECUTOR, "ToolExecutionStarted", "ToolStep", "ToolExecutionResult", "TOOL_ERROR", "TOOL_CANCELED"},
};

static void make_condition(void) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&run_changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

void run_await(int64_t until_ms) {
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_cond_timedwait(&run_changed, &run_lock, &until);
}

static bool is_given_up(const struct run *run) {
    const char *cause = run->stop_cause;
    return cause != NULL && (strcmp(cause, "timed_out") == 0 || strcmp(cause, "caller_lost") == 0);
}

static void replace(char **text, const char *by) {
    free(*text);
    *text = copy_of(by);
}

// ── what is said of a run ────────────────────────────────────────────────────────────────────────

cJSON *run_payload(const struct run *run, const char *status, cJSON *result) {
    cJSON *payload = cJSON_CreateObject();
    if (status != NULL) {
        cJSON_AddStringToObject(payload, "status", status);
        cJSON_AddItemToObject(payload, "result", result == NULL ? cJSON_CreateNull() : result);
    }
    cJSON_AddNumberToObject(cJSON_AddObjectToObject(payload, "context"), "attempt", run->attempt);
    return payload;
}

cJSON *run_error(const char *code, const char *message, cJSON *details) {
    cJSON *result = cJSON_CreateObject();
    cJSON *error = cJSON_AddObjectToObject(result, "error");
    cJSON_AddStringToObject(error, "code", code);
    cJSON_AddStringToObject(error, "message", message);
    cJSON_AddItemToObject(error, "details", details == NULL ? cJSON_CreateObject() : details);
    return result;
}

/// Gives the number that it is known by on its way.
static unsigned long say_started(const struct run *run) {
    cJSON *sections = cJSON_Duplicate(run->sections, true);
    if (run->kind == AGENT) cJSON_AddItemToObject(sections, "agent_runtime", cJSON_Duplicate(own_section, true));
    uuid id;
    cJSON *payload = run_payload(run, "RUNNING", NULL);
    char *text = write_message(words[run->kind].started, words[run->kind].source, &run->cause, sections, payload, id);
    char *subject = event_subject(words[run->kind].entity, run->exec_id, "started", run->cause.correlation);
    cJSON_Delete(sections);
    return post_send(KEEP, subject, NULL, &run->cause, id, text);
}

static void say_progress(struct run *run, const char *name, const char *word, const char *field, cJSON *said) {
    pthread_mutex_lock(&run_lock);
    int seq = ++run->seq;
    pthread_mutex_unlock(&run_lock);
    uuid id;
    cJSON *payload = run_payload(run, NULL, NULL);
    cJSON *context = cJSON_GetObjectItem(payload, "context");
    cJSON_AddNumberToObject(context, "seq", seq);
    cJSON_AddItemToObject(context, field, said);
    char *text = write_message(name, words[run->kind].source, &run->cause, run->sections, payload, id);
    char *subject = progress_subject(words[run->kind].entity, run->exec_id, word, run->cause.correlation);
    post_send(NEWS, subject, NULL, &run->cause, id, text);
}

void run_think(struct run *run) {
    if (run->kind == AGENT && !run->has_thought) run_thinking(run, "thinking");
}

static char *result_of(const struct run *run, const char *status, cJSON *result, uuid id) {
    cJSON *payload = run_payload(run, status, result);
    return write_message(words[run->kind].result, words[run->kind].source, &run->cause, run->sections, payload, id);
}

static cJSON *own_error(const struct run *run, const char *code, const char *message) {
    cJSON *details = cJSON_CreateObject();
    const char *erred = words[run->kind].erred;
    if (code != NULL && strcmp(code, erred) != 0) cJSON_AddStringToObject(details, "cause_code", code);
    return run_error(erred, message, details);
}

/// Under the lock; the result is used up.
static void answer(struct run *run, const char *status, cJSON *result) {
    char *text = result_of(run, status, result, run->answer_id);
    const char *erred = words[run->kind].erred;
    if (!can_travel(text)) {
        free(text);
        cJSON *error = own_error(run, "OUTPUT_INVALID", "the output is no text in UTF-8, or nested too deeply");
        text = result_of(run, erred, error, run->answer_id);
    }
    int size = (int)strlen(text), most = post_bytes_max(&run->cause);
    if (size > most) {
        free(text);
        char *message = text_of("the result takes %d bytes, and one message may take %d", size, most);
        text = result_of(run, erred, own_error(run, "PAYLOAD_TOO_LARGE", message), run->answer_id);
        free(message);
    }
    run->is_over = true;
    run->ended_at = ticks_ms();
    run->answer = text;
    if (run->reply_to == NULL) return;
    post_send(DELIVER, copy_of(run->reply_to), NULL, &run->cause, run->answer_id, copy_of(text));
}

static void answer_canceled(struct run *run, bool is_confirmed) {
    run->is_over = true;
    run->ended_at = ticks_ms();
    if (is_given_up(run)) return;
    cJSON *details = cJSON_CreateObject();
    cJSON_AddBoolToObject(details, "confirmed", is_confirmed);
    cJSON_AddNumberToObject(details, "took_ms", (double)(run->ended_at - run->stopped_at));
    const char *reason = *run->stop_reason == '\0' ? "canceled" : run->stop_reason;
    answer(run, "FAILURE", run_error(words[run->kind].canceled, reason, details));
}

static void answer_outcome(struct run *run, cJSON *output) {
    if (run->failure_message != NULL) {
        cJSON_Delete(output);
        answer(run, words[run->kind].erred, own_error(run, run->failure_code, run->failure_message));
        return;
    }
    if (output == NULL) output = cJSON_CreateObject();
    if (!cJSON_IsObject(output)) {
        cJSON *whole = cJSON_CreateObject();
        cJSON_AddItemToObject(whole, "value", output);
        output = whole;
    }
    if (run->kind == AGENT && output->child == NULL) {
        cJSON_Delete(output);
        answer(run, "AGENT_ERROR", own_error(run, "EMPTY_RESULT", "the agent returned nothing"));
        return;
    }
    cJSON *result = cJSON_CreateObject();
    cJSON_AddItemToObject(result, "output", output);
    answer(run, "SUCCESS", result);
}

// ── its life ─────────────────────────────────────────────────────────────────────────────────────

struct run *run_new(enum kind kind, handler handler, const cJSON *body, const struct cause *cause, const char *reply) {
    pthread_once(&once, make_condition);
    struct run *run = room_for(sizeof *run);
    run->kind = kind;
    run->handler = handler;
    run->cause = *cause;
    run->sections = cJSON_CreateObject();
    static const char *const names[] = {"workflow", "task", "agent", "tool"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const cJSON *section = part_of(body, names[i]);
        if (section != NULL) cJSON_AddItemToObject(run->sections, names[i], cJSON_Duplicate(section, true));
    }
    const cJSON *own = part_of(body, words[kind].entity);
    const cJSON *context = part_of(part_of(body, "payload"), "context");
    const cJSON *time = cJSON_GetObjectItem(part_of(context, "timeout_config"), "timeout_duration_ms");
    snprintf(run->id, sizeof run->id, "%s", text_in(own, "id"));
    snprintf(run->exec_id, sizeof run->exec_id, "%s", text_in(own, "exec_id"));
    run->attempt = cJSON_GetObjectItem(context, "attempt")->valueint;
    run->input = cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(context, "input"), true);
    run->timeout_ms = (int64_t)time->valuedouble;
    run->reply_to = reply == NULL ? NULL : copy_of(reply);
    run->began_at = ticks_ms();
    return run;
}

static void *perform(void *given) {
    struct run *run = given;
    unsigned long started = say_started(run);
    cJSON *output = run->handler(run->input, run);
    if (!run_is_stopping(run)) run_think(run);
    // The result goes another way, and would overtake it.
    post_await(started, STARTED_WITHIN_MS);
    pthread_mutex_lock(&run_lock);
    if (run->is_over) cJSON_Delete(output);
    else if (run->stop_cause != NULL) {
        cJSON_Delete(output);
        answer_canceled(run, true);
    } else {
        answer_outcome(run, output);
    }
    run->is_at_work = false;
    pthread_mutex_unlock(&run_lock);
    return NULL;
}

bool run_begin(struct run *run) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    // Before there is a thread: it may have ended when this goes on.
    run->is_at_work = true;
    bool is_begun = pthread_create(&thread, &attributes, perform, run) == 0;
    if (!is_begun) run->is_at_work = false;
    pthread_attr_destroy(&attributes);
    return is_begun;
}

void run_stop(struct run *run, const char *cause, const char *reason) {
    static const char *const causes[] = {"requested", "timed_out", "caller_lost", "parent_ended"};
    pthread_mutex_lock(&run_lock);
    if (!is_given_up(run)) {
        for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
            if (strcmp(causes[i], cause) == 0) run->stop_cause = causes[i];
        }
        replace(&run->stop_reason, reason);
    }
    if (run->stopped_at == 0) run->stopped_at = ticks_ms();
    pthread_cond_broadcast(&run_changed);
    pthread_mutex_unlock(&run_lock);
}

bool run_is_stopping(struct run *run) {
    pthread_mutex_lock(&run_lock);
    bool is_stopping = run->stop_cause != NULL;
    pthread_mutex_unlock(&run_lock);
    return is_stopping;
}

void run_refuse(struct run *run, const char *code, const char *message, cJSON *details) {
    pthread_mutex_lock(&run_lock);
    answer(run, "FAILURE", run_error(code, message, details));
    pthread_mutex_unlock(&run_lock);
}

void run_repeat(struct run *run) {
    pthread_mutex_lock(&run_lock);
    if (run->answer != NULL && run->reply_to != NULL) {
        post_send(DELIVER, copy_of(run->reply_to), NULL, &run->cause, run->answer_id, copy_of(run->answer));
    }
    pthread_mutex_unlock(&run_lock);
}

void run_tick(struct run *run) {
    int64_t now = ticks_ms();
    if (run->timeout_ms > 0 && now - run->began_at > run->timeout_ms + DEADLINE_GRACE_MS && !run_is_stopping(run)) {
        run_stop(run, "caller_lost", "its time is over, and its caller was not heard of");
    }
    pthread_mutex_lock(&run_lock);
    bool is_stuck = run->stop_cause != NULL && now - run->stopped_at > STOP_GRACE_MS;
    if (is_stuck && !run->is_over) answer_canceled(run, false);
    pthread_mutex_unlock(&run_lock);
}

bool run_is_over(struct run *run) {
    pthread_mutex_lock(&run_lock);
    bool is_over = run->is_over;
    pthread_mutex_unlock(&run_lock);
    return is_over;
}

bool run_is_forgotten(struct run *run, int64_t horizon) {
    pthread_mutex_lock(&run_lock);
    bool is_forgotten = run->is_over && !run->is_at_work && run->ended_at < horizon;
    pthread_mutex_unlock(&run_lock);
    return is_forgotten;
}

void run_free(struct run *run) {
    cJSON_Delete(run->sections);
    cJSON_Delete(run->input);
    free(run->reply_to);
    free(run->stop_reason);
    free(run->failure_code);
    free(run->failure_message);
    free(run->answer);
    free(run);
}

// ── for handlers ─────────────────────────────────────────────────────────────────────────────────

const char *run_exec_id(const struct run *run) {
    return run->exec_id;
}

int run_attempt(const struct run *run) {
    return run->attempt;
}

bool run_is_canceled(struct run *run) {
    return run_is_stopping(run);
}

bool run_sleep(struct run *run, int64_t ms) {
    int64_t until = ticks_ms() + ms;
    pthread_mutex_lock(&run_lock);
    while (run->stop_cause == NULL && ticks_ms() < until) run_await(until);
    bool is_whole = run->stop_cause == NULL;
    pthread_mutex_unlock(&run_lock);
    return is_whole;
}

void run_thinking(struct run *run, const char *text) {
    run->has_thought = true;
    say_progress(run, "AgentThinking", "thinking", "text", cJSON_CreateString(text));
}

void run_token(struct run *run, const char *text) {
    say_progress(run, "AgentToken", "token", "text", cJSON_CreateString(text));
}

void run_step(struct run *run, cJSON *step) {
    say_progress(run, words[run->kind].step, "step", "step", step);
}

cJSON *run_fail(struct run *run, const char *code, const char *message) {
    replace(&run->failure_message, message == NULL ? "it failed" : message);
    free(run->failure_code);
    run->failure_code = is_own_code(code) ? copy_of(code) : NULL;
    return NULL;
}
