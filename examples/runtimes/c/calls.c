#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "post.h"
#include "run.h"

/// A canceled tool has so long to answer.
#define TOOL_GRACE_MS 5000
/// The words are the protocol's: people match on them.
#define TIMED_OUT "NATS request timed out waiting for ToolExecutionResult"

struct call {
    struct call *next;
    uuid exec_id;
    char *inbox;
    natsMsg *answer;
    bool is_to_ask;
};

static struct call *calls;

void calls_hear(natsMsg *heard) {
    pthread_mutex_lock(&run_lock);
    for (struct call *call = calls; call != NULL && heard != NULL; call = call->next) {
        if (call->answer != NULL || strcmp(call->inbox, natsMsg_GetSubject(heard)) != 0) continue;
        call->answer = heard;
        heard = NULL;
        pthread_cond_broadcast(&run_changed);
    }
    pthread_mutex_unlock(&run_lock);
    natsMsg_Destroy(heard);
}

void calls_again(void) {
    pthread_mutex_lock(&run_lock);
    for (struct call *call = calls; call != NULL; call = call->next) call->is_to_ask = true;
    pthread_cond_broadcast(&run_changed);
    pthread_mutex_unlock(&run_lock);
}

static void say_call(const struct run *run, const struct call *call, const cJSON *sections, const char *name,
                     const char *word, const char *status, cJSON *result, int64_t began_at) {
    uuid id;
    cJSON *payload = run_payload(run, status, result);
    cJSON_AddNumberToObject(payload, "duration_ms", (double)(ticks_ms() - began_at));
    if (strcmp(word, "canceled") == 0) {
        cJSON_AddStringToObject(cJSON_GetObjectItem(payload, "context"), "reason", run->stop_reason);
    }
    char *text = write_message(name, AGENT_RUNTIME, &run->cause, sections, payload, id);
    post_send(KEEP, event_subject("tool", call->exec_id, word, run->cause.correlation), NULL, &run->cause, id, text);
}

static const char *scope_of(const struct run *run) {
    const char *workflow = text_in(part_of(run->sections, "workflow"), "id");
    return workflow == NULL ? "_" : workflow;
}

static void stop_tool(const struct run *run, const struct call *call, const cJSON *sections, const char *cause,
                      const char *reason) {
    uuid id;
    cJSON *payload = run_payload(run, NULL, NULL);
    cJSON *context = cJSON_GetObjectItem(payload, "context");
    cJSON_AddStringToObject(context, "cause", cause);
    cJSON_AddStringToObject(context, "reason", reason);
    char *text = write_message("ToolCancel", AGENT_RUNTIME, &run->cause, sections, payload, id);
    char *subject = tool_subject(scope_of(run), "cancel", call->exec_id, run->cause.correlation);
    post_send(NEWS, subject, NULL, &run->cause, id, text);
}

/// Asks, and again with the same ids when the connection was lost; until there is an answer, or no more time, or the
/// agent is to stop and the tool was told so.
static void await_answer(struct run *run, struct call *call, const cJSON *sections, const char *subject,
                         const char *text, const char *message_id, int64_t until) {
    bool is_stopping = false;
    pthread_mutex_lock(&run_lock);
    while (call->answer == NULL && ticks_ms() < until) {
        if (call->is_to_ask) {
            call->is_to_ask = false;
            post_send(NEWS, copy_of(subject), call->inbox, &run->cause, message_id, copy_of(text));
        }
        if (run->stop_cause != NULL && !is_stopping) {
            is_stopping = true;
            until = ticks_ms() + TOOL_GRACE_MS;
            stop_tool(run, call, sections, "requested", run->stop_reason);
        }
        run_await(until);
    }
    pthread_mutex_unlock(&run_lock);
}

/// What the tool says went wrong; a code that is the tool's own stands in the details.
static cJSON *failure_of(natsMsg *heard, cJSON *body) {
    if (heard == NULL) return run_error("TOOL_INVOCATION_TIMEOUT", TIMED_OUT, NULL);
    if (natsMsg_IsNoResponders(heard)) {
        cJSON *details = cJSON_CreateObject();
        cJSON_AddStringToObject(details, "reason", "no_responders");
        return run_error("TOOL_DISPATCH_FAILED", "no tool executor answers", details);
    }
    const cJSON *payload = part_of(body, "payload");
    const cJSON *error = part_of(part_of(payload, "result"), "error");
    const char *code = text_in(error, "code"), *message = text_in(error, "message");
    bool is_logic = text_in(payload, "status") != NULL && strcmp(text_in(payload, "status"), "TOOL_ERROR") == 0;
    cJSON *details = cJSON_Duplicate(part_of(error, "details"), true);
    if (details == NULL) details = cJSON_CreateObject();
    bool is_known = code != NULL && (!is_logic || strncmp(code, "TOOL_", 5) == 0);
    if (!is_known && is_own_code(code)) cJSON_AddStringToObject(details, "cause_code", code);
    const char *known = is_known ? code : is_logic ? "TOOL_ERROR" : "INTERNAL_ERROR";
    return run_error(known, message == NULL ? "the tool does not say what went wrong" : message, details);
}

/// Gives the output, and says how the call ended.
static cJSON *end_call(struct run *run, struct call *call, const cJSON *sections, int64_t began_at) {
    natsMsg *heard = call->answer;
    struct refusal why = {0};
    bool is_word = heard != NULL && !natsMsg_IsNoResponders(heard);
    cJSON *body = is_word ? read_body(natsMsg_GetData(heard), natsMsg_GetDataLength(heard), &why) : NULL;
    const cJSON *output = part_of(part_of(part_of(body, "payload"), "result"), "output");
    cJSON *given = NULL;
    if (run_is_stopping(run)) {
        say_call(run, call, sections, "ToolExecutionCanceled", "canceled", "CANCELED", NULL, began_at);
        run_fail(run, "TOOL_CANCELED", "the agent was told to stop");
    } else if (output != NULL) {
        given = cJSON_Duplicate(output, true);
        cJSON *result = cJSON_CreateObject();
        cJSON_AddItemToObject(result, "output", cJSON_Duplicate(output, true));
        say_call(run, call, sections, "ToolExecutionSuccess", "completed", "SUCCESS", result, began_at);
    } else {
        cJSON *result = failure_of(heard, body);
        const cJSON *error = part_of(result, "error");
        run_fail(run, text_in(error, "code"), text_in(error, "message"));
        say_call(run, call, sections, "ToolExecutionFailed", "failed", "FAILED", result, began_at);
        if (heard == NULL) stop_tool(run, call, sections, "timed_out", TIMED_OUT);
    }
    cJSON_Delete(body);
    return given;
}

cJSON *run_tool(struct run *run, const char *id, cJSON *input, int timeout_ms) {
    if (run->kind != AGENT || !is_definition_id(id)) {
        cJSON_Delete(input);
        if (run->kind != AGENT) return run_fail(run, "INVALID_STATE", "a tool calls no tools: only agents do");
        return run_fail(run, "INVALID_ID", "this is no id of a tool: 1 to 64 letters, digits, _ and -");
    }
    run_think(run);
    int64_t began_at = ticks_ms();
    struct call call = {.is_to_ask = true};
    new_uuid(call.exec_id);
    call.inbox = post_inbox(call.exec_id);
    cJSON *sections = cJSON_Duplicate(run->sections, true);
    cJSON *tool = cJSON_AddObjectToObject(sections, "tool");
    cJSON_AddStringToObject(tool, "id", id);
    cJSON_AddStringToObject(tool, "exec_id", call.exec_id);
    cJSON *payload = run_payload(run, NULL, NULL);
    cJSON *context = cJSON_GetObjectItem(payload, "context");
    cJSON_AddStringToObject(payload, "reply_to_subject", call.inbox);
    cJSON_AddItemToObject(context, "input", input == NULL ? cJSON_CreateNull() : input);
    cJSON_AddNumberToObject(cJSON_AddObjectToObject(context, "timeout_config"), "timeout_duration_ms", timeout_ms);
    uuid message_id;
    char *text = write_message("ToolExecute", AGENT_RUNTIME, &run->cause, sections, payload, message_id);
    char *subject = tool_subject(scope_of(run), "execute", id, run->cause.correlation);
    cJSON *output = NULL;
    if ((int)strlen(text) > post_bytes_max(&run->cause) || !can_travel(text)) {
        run_fail(run, "PAYLOAD_TOO_LARGE", "the input of the tool is too large, too deep, or no UTF-8");
    } else {
        pthread_mutex_lock(&run_lock);
        call.next = calls;
        calls = &call;
        pthread_mutex_unlock(&run_lock);
        await_answer(run, &call, sections, subject, text, message_id, began_at + timeout_ms);
        pthread_mutex_lock(&run_lock);
        struct call **place = &calls;
        while (*place != &call) place = &(*place)->next;
        *place = call.next;
        pthread_mutex_unlock(&run_lock);
        output = end_call(run, &call, sections, began_at);
    }
    natsMsg_Destroy(call.answer);
    cJSON_Delete(sections);
    free(call.inbox);
    free(subject);
    free(text);
    return output;
}
