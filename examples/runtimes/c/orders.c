#include "orders.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "post.h"

/// How many runs that have ended are known.
#define REMEMBERED_MAX 1000
#define NO_REFERENCES "this runtime does not read what travels by reference; send it inline, or use smaller data"

struct service service;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/// The newest first.
static struct run *runs;

static const struct served *served_as(enum kind kind, const char *id) {
    for (int i = 0; i < service.count; i++) {
        if (service.served[i].kind == kind && strcmp(service.served[i].id, id) == 0) return &service.served[i];
    }
    return NULL;
}

cJSON *state_payload(const char *status) {
    cJSON *payload = cJSON_CreateObject();
    cJSON_AddStringToObject(payload, "status", status);
    cJSON_AddNullToObject(payload, "result");
    cJSON_AddObjectToObject(payload, "context");
    return payload;
}

/// Under the lock.
static int running(enum kind kind) {
    int count = 0;
    for (struct run *run = runs; run != NULL; run = run->next) count += run->kind == kind && !run_is_over(run);
    return count;
}

// ── what comes ───────────────────────────────────────────────────────────────────────────────────

static void acknowledge(const char *to, const struct cause *cause, const cJSON *body, const char *note,
                        const char *code, const char *message) {
    if (!is_subject(to)) return;
    cJSON *payload = state_payload(code == NULL ? "ACKNOWLEDGED" : "ERROR");
    if (code != NULL) {
        cJSON *result = cJSON_CreateObject();
        cJSON *error = cJSON_AddObjectToObject(result, "error");
        cJSON_AddStringToObject(error, "code", code);
        cJSON_AddStringToObject(error, "message", message);
        cJSON_AddObjectToObject(error, "details");
        cJSON_ReplaceItemInObject(payload, "result", result);
    }
    cJSON *context = cJSON_GetObjectItem(payload, "context");
    const cJSON *attempt = cJSON_GetObjectItem(part_of(part_of(body, "payload"), "context"), "attempt");
    if (is_count(attempt, 1)) cJSON_AddNumberToObject(context, "attempt", attempt->valuedouble);
    if (note != NULL) cJSON_AddTrueToObject(context, note);
    cJSON *sections = cJSON_CreateObject();
    if (part_of(body, "agent") != NULL) {
        cJSON_AddItemToObject(sections, "agent_runtime", cJSON_Duplicate(own_section, true));
        cJSON_AddItemToObject(sections, "agent", cJSON_Duplicate(part_of(body, "agent"), true));
    }
    uuid id;
    char *text = write_message("CommandAck", AGENT_RUNTIME, cause, sections, payload, id);
    post_send(NEWS, copy_of(to), NULL, cause, id, text);
    cJSON_Delete(sections);
}

static cJSON *log_payload(const struct refusal *why, cJSON *context) {
    char timestamp[32];
    write_timestamp(timestamp);
    cJSON *payload = cJSON_CreateObject();
    cJSON_AddStringToObject(payload, "log_level", "error");
    cJSON_AddStringToObject(payload, "message", why->message);
    cJSON_AddStringToObject(payload, "timestamp", timestamp);
    cJSON_AddStringToObject(context, "code", why->code);
    cJSON_AddItemToObject(payload, "context", context);
    return payload;
}

/// As much of the bytes as is plain: they may be anything.
static char *plain_text(const char *data, int size) {
    char *text = room_for((size_t)size + 1);
    for (int i = 0; i < size; i++) text[i] = data[i] == '\0' || (data[i] & 0x80) ? '?' : data[i];
    return text;
}

/// What was refused is never acknowledged: it is answered, logged, and kept as a dead letter.
static void refuse(natsMsg *message, const char *name, const cJSON *body, const struct cause *cause,
                   const struct refusal *why) {
    fprintf(stderr, "a message on %s was refused: %s\n", natsMsg_GetSubject(message), why->message);
    bool is_tool = name != NULL && strncmp(name, "Tool", 4) == 0;
    const char *named = text_in(part_of(body, "payload"), "reply_to_subject");
    const char *to = natsMsg_GetReply(message);
    // A relay names in its payload where the result goes, not the acknowledgment.
    if (to == NULL && name != NULL && strcmp(name, "AgentRuntimeExecute") != 0) to = named;
    const cJSON *tool = part_of(body, "tool");
    bool is_order = name != NULL && strcmp(name, "ToolExecute") == 0;
    if (is_order && is_definition_id(text_in(tool, "id")) && is_uuid(text_in(tool, "exec_id")) && is_subject(to)) {
        uuid id;
        cJSON *payload = state_payload("ERROR"), *result = cJSON_CreateObject(), *sections = cJSON_CreateObject();
        cJSON *error = cJSON_AddObjectToObject(result, "error");
        cJSON_AddStringToObject(error, "code", why->code);
        cJSON_AddStringToObject(error, "message", why->message);
        cJSON_ReplaceItemInObject(payload, "result", result);
        const cJSON *attempt = cJSON_GetObjectItem(part_of(part_of(body, "payload"), "context"), "attempt");
        cJSON *context = cJSON_GetObjectItem(payload, "context");
        cJSON_AddNumberToObject(context, "attempt", is_count(attempt, 1) ? attempt->valuedouble : 1);
        cJSON_AddItemToObject(sections, "tool", cJSON_Duplicate(tool, true));
        char *text = write_message("ToolExecutionResult", TOOL_EXECUTOR, cause, sections, payload, id);
        post_send(NEWS, copy_of(to), NULL, cause, id, text);
        cJSON_Delete(sections);
    } else if (!is_tool || is_order) {
        acknowledge(to, cause, NULL, NULL, why->code, why->message);
    }
    struct cause root = *cause;
    root.message[0] = '\0';
    const char *source = is_tool ? TOOL_EXECUTOR : AGENT_RUNTIME;
    cJSON *kept = cJSON_CreateObject(), *headers = cJSON_AddObjectToObject(kept, "original_headers");
    const char **keys = NULL;
    int count = 0;
    if (natsMsgHeader_Keys(message, &keys, &count) == NATS_OK) {
        for (int i = 0; i < count; i++) {
            const char *value = NULL;
            if (natsMsgHeader_Get(message, keys[i], &value) != NATS_OK) continue;
            cJSON_AddStringToObject(headers, keys[i], value);
        }
        free(keys);
    }
    char *original = plain_text(natsMsg_GetData(message), natsMsg_GetDataLength(message));
    cJSON_AddStringToObject(kept, "original_subject", natsMsg_GetSubject(message));
    cJSON_AddStringToObject(kept, "original_body", original);
    free(original);
    uuid id;
    char *text = write_message("MessageRejected", source, &root, NULL, log_payload(why, kept), id);
    post_send(KEEP, rejected_subject(why->code), NULL, &root, id, text);
    char *line = log_subject(is_tool ? "tool_executor" : "agent_runtime", root.correlation);
    text = write_message("LogEmitted", source, &root, NULL, log_payload(why, cJSON_CreateObject()), id);
    post_send(KEEP, line, NULL, &root, id, text);
}

static void take_header(natsMsg *message, const char *name, char *place, size_t size) {
    const char *value = NULL;
    if (natsMsgHeader_Get(message, name, &value) == NATS_OK && strlen(value) < size) snprintf(place, size, "%s", value);
}

/// A command, to be deleted, and what follows from it goes back to; nothing if it is refused, which is said.
static cJSON *read_command(natsMsg *message, const char *name, const char *target, struct cause *cause) {
    struct refusal why = {0};
    *cause = (struct cause){0};
    cJSON *body = read_body(natsMsg_GetData(message), natsMsg_GetDataLength(message), &why);
    cJSON *metadata = cJSON_GetObjectItem(body, "metadata");
    if (cJSON_IsObject(metadata) && !cJSON_HasObjectItem(metadata, "message_id")) {
        uuid id = "";
        take_header(message, "Nats-Msg-Id", id, sizeof id);
        if (*id == '\0') new_uuid(id);
        cJSON_AddStringToObject(metadata, "message_id", id);
    }
    if (name == NULL) {
        why = (struct refusal){.code = "UNKNOWN_MESSAGE_TYPE", .message = "no command has this subject"};
    } else if (body != NULL) {
        check_command(name, body, target, &why);
    }
    const char *correlation = text_in(metadata, "correlation_id"), *id = text_in(metadata, "message_id");
    if (is_uuid(correlation)) snprintf(cause->correlation, sizeof(uuid), "%s", correlation);
    else new_uuid(cause->correlation);
    if (is_uuid(id)) snprintf(cause->message, sizeof(uuid), "%s", id);
    take_header(message, "traceparent", cause->traceparent, sizeof cause->traceparent);
    take_header(message, "tracestate", cause->tracestate, sizeof cause->tracestate);
    if (why.code == NULL) return body;
    refuse(message, name, body, cause, &why);
    cJSON_Delete(body);
    return NULL;
}

static struct run *known(const char *exec_id) {
    for (struct run *run = runs; run != NULL; run = run->next) {
        if (strcmp(run->exec_id, exec_id) == 0) return run;
    }
    return NULL;
}

static void enter(struct run *run) {
    run->next = runs;
    runs = run;
}

static bool is_reference(const cJSON *body) {
    const cJSON *input = part_of(part_of(part_of(body, "payload"), "context"), "input");
    return cJSON_HasObjectItem(input, "$ref");
}

/// Under the lock.
static void take_agent_order(const cJSON *body, const struct cause *cause, const char *reply) {
    const char *id = text_in(part_of(body, "agent"), "id");
    struct run *run = known(text_in(part_of(body, "agent"), "exec_id"));
    const struct served *agent = served_as(AGENT, id);
    if (run != NULL) {
        acknowledge(reply, cause, body, "duplicate", NULL, NULL);
        run_repeat(run);
    } else if (agent == NULL) {
        acknowledge(reply, cause, body, NULL, "AGENT_NOT_FOUND", "this runtime has no such agent");
    } else if (is_reference(body)) {
        acknowledge(reply, cause, body, NULL, "PAYLOAD_TOO_LARGE", NO_REFERENCES);
    } else if (service.is_draining || running(AGENT) >= service.capacity) {
        const char *message = service.is_draining ? "the runtime shuts down" : "the runtime has no free slot";
        acknowledge(reply, cause, body, NULL, "AGENT_RUNTIME_BUSY", message);
    } else {
        run = run_new(AGENT, agent->handler, body, cause, text_in(part_of(body, "payload"), "reply_to_subject"));
        enter(run);
        acknowledge(reply, cause, body, NULL, NULL, NULL);
        if (!run_begin(run)) run_refuse(run, "INTERNAL_ERROR", "no thread can be begun", NULL);
    }
}

static void stop_run(struct run *run, const cJSON *body) {
    const cJSON *context = part_of(part_of(body, "payload"), "context");
    run_stop(run, text_in(context, "cause"), text_in(context, "reason"));
}

/// Under the lock.
static void take_agent_cancel(const cJSON *body, const struct cause *cause, const char *reply) {
    struct run *run = known(text_in(part_of(body, "agent"), "exec_id"));
    const char *to = reply != NULL ? reply : text_in(part_of(body, "payload"), "reply_to_subject");
    if (run == NULL || run_is_over(run)) {
        acknowledge(to, cause, body, NULL, "EXECUTION_NOT_FOUND", "this agent execution does not run here");
        return;
    }
    acknowledge(to, cause, body, run_is_stopping(run) ? "no_change" : NULL, NULL, NULL);
    stop_run(run, body);
}

static void on_command(natsConnection *nc, natsSubscription *sub, natsMsg *message, void *closure) {
    (void)nc, (void)sub, (void)closure;
    char action[65], target[65];
    words_of_subject(natsMsg_GetSubject(message), action, target);
    bool is_execute = strcmp(action, "execute") == 0;
    const char *name = is_execute ? "AgentRuntimeExecute" : strcmp(action, "cancel") == 0 ? "AgentRuntimeCancel" : NULL;
    struct cause cause;
    cJSON *body = read_command(message, name, target, &cause);
    if (body != NULL) {
        pthread_mutex_lock(&lock);
        (is_execute ? take_agent_order : take_agent_cancel)(body, &cause, natsMsg_GetReply(message));
        pthread_mutex_unlock(&lock);
    }
    cJSON_Delete(body);
    natsMsg_Destroy(message);
}

/// Under the lock.
static void take_tool_order(const cJSON *body, const struct cause *cause, const char *reply) {
    const char *id = text_in(part_of(body, "tool"), "id");
    struct run *run = known(text_in(part_of(body, "tool"), "exec_id"));
    if (run != NULL) {
        run_repeat(run);
        return;
    }
    const struct served *tool = served_as(TOOL, id);
    bool is_full = running(TOOL) >= service.capacity;
    const cJSON *input = cJSON_GetObjectItem(part_of(part_of(body, "payload"), "context"), "input");
    const char *wrong = tool == NULL || tool->check == NULL ? NULL : tool->check(input);
    run = run_new(TOOL, tool == NULL ? NULL : tool->handler, body, cause, reply);
    enter(run);
    if (tool == NULL) {
        run_refuse(run, "TOOL_NOT_FOUND", "there is no such tool here", NULL);
    } else if (is_full) {
        cJSON *details = cJSON_CreateObject();
        cJSON_AddStringToObject(details, "reason", "all_busy");
        run_refuse(run, "TOOL_DISPATCH_FAILED", "as many tools as may be are at work", details);
    } else if (is_reference(body)) {
        run_refuse(run, "PAYLOAD_TOO_LARGE", NO_REFERENCES, NULL);
    } else if (wrong != NULL) {
        run_refuse(run, "TOOL_INPUT_INVALID", wrong, NULL);
    } else if (!run_begin(run)) {
        run_refuse(run, "INTERNAL_ERROR", "no thread can be begun", NULL);
    }
}

static void on_tool_order(natsConnection *nc, natsSubscription *sub, natsMsg *message, void *closure) {
    (void)nc, (void)sub, (void)closure;
    char action[65], target[65];
    words_of_subject(natsMsg_GetSubject(message), action, target);
    struct cause cause;
    cJSON *body = read_command(message, "ToolExecute", target, &cause);
    if (body != NULL) {
        const char *reply = natsMsg_GetReply(message);
        if (reply == NULL) reply = text_in(part_of(body, "payload"), "reply_to_subject");
        pthread_mutex_lock(&lock);
        take_tool_order(body, &cause, reply);
        pthread_mutex_unlock(&lock);
    }
    cJSON_Delete(body);
    natsMsg_Destroy(message);
}

/// Every process hears of every cancel: whoever holds the run acts.
static void on_tool_cancel(natsConnection *nc, natsSubscription *sub, natsMsg *message, void *closure) {
    (void)nc, (void)sub, (void)closure;
    char action[65], target[65];
    words_of_subject(natsMsg_GetSubject(message), action, target);
    pthread_mutex_lock(&lock);
    bool is_ours = *target == '\0' || known(target) != NULL;
    pthread_mutex_unlock(&lock);
    struct cause cause;
    cJSON *body = is_ours ? read_command(message, "ToolCancel", target, &cause) : NULL;
    pthread_mutex_lock(&lock);
    struct run *run = body == NULL ? NULL : known(text_in(part_of(body, "tool"), "exec_id"));
    if (run != NULL && !run_is_over(run)) stop_run(run, body);
    pthread_mutex_unlock(&lock);
    cJSON_Delete(body);
    natsMsg_Destroy(message);
}

// ── for the runtime ──────────────────────────────────────────────────────────────────────────────

void orders_open(const char *runtime) {
    char *commands = runtime_commands_pattern(runtime), *cancels = tool_cancels_pattern();
    post_subscribe(commands, NULL, on_command);
    bool has_tools = false;
    for (int i = 0; i < service.count; i++) {
        if (service.served[i].kind == AGENT) continue;
        char *orders = tool_subject("*", "execute", service.served[i].id, "*");
        service.served[i].orders = post_subscribe(orders, "tool-executor", on_tool_order);
        has_tools = true;
        free(orders);
    }
    if (has_tools) post_subscribe(cancels, NULL, on_tool_cancel);
    free(commands);
    free(cancels);
}

void orders_end(void) {
    for (int i = 0; i < service.count; i++) {
        if (service.served[i].orders != NULL) natsSubscription_Drain(service.served[i].orders);
    }
}

int orders_running(enum kind kind) {
    pthread_mutex_lock(&lock);
    int count = running(kind);
    pthread_mutex_unlock(&lock);
    return count;
}

void orders_stop(const char *reason) {
    pthread_mutex_lock(&lock);
    for (struct run *run = runs; run != NULL; run = run->next) {
        if (!run_is_over(run)) run_stop(run, "requested", reason);
    }
    pthread_mutex_unlock(&lock);
}

void orders_tick(int64_t horizon) {
    pthread_mutex_lock(&lock);
    int count = 0;
    struct run **place = &runs;
    while (*place != NULL) {
        struct run *run = *place;
        run_tick(run);
        int64_t until = ++count > REMEMBERED_MAX ? INT64_MAX : horizon;
        if (run_is_forgotten(run, until)) {
            *place = run->next;
            run_free(run);
        } else {
            place = &run->next;
        }
    }
    pthread_mutex_unlock(&lock);
}
