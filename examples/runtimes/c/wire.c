#include "wire.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

// ── memory and text ──────────────────────────────────────────────────────────────────────────────

void *room_for(size_t size) {
    void *room = calloc(1, size);
    if (room == NULL) {
        fputs("there is no memory left\n", stderr);
        abort();
    }
    return room;
}

char *copy_of(const char *text) {
    return text_of("%s", text == NULL ? "" : text);
}

char *text_of(const char *format, ...) {
    va_list measured, printed;
    va_start(measured, format);
    va_copy(printed, measured);
    int size = vsnprintf(NULL, 0, format, measured);
    va_end(measured);
    char *text = room_for((size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, printed);
    va_end(printed);
    return text;
}

// ── ids and times ────────────────────────────────────────────────────────────────────────────────

static int64_t clock_ms(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t ticks_ms(void) {
    return clock_ms(CLOCK_MONOTONIC);
}

void write_timestamp(char text[32]) {
    int64_t now = clock_ms(CLOCK_REALTIME);
    time_t seconds = (time_t)(now / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t end = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + end, 32 - end, ".%03dZ", (int)(now % 1000));
}

void new_uuid(uuid id) {
    unsigned char b[16];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) {
        fputs("there is no randomness\n", stderr);
        abort();
    }
    uint64_t now = (uint64_t)clock_ms(CLOCK_REALTIME);
    for (int i = 0; i < 6; i++) b[i] = (unsigned char)(now >> (40 - 8 * i));
    b[6] = (unsigned char)(0x70 | (b[6] & 0x0f));
    b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
    snprintf(id, sizeof(uuid), "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
             b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

bool is_uuid(const char *text) {
    if (text == NULL || strlen(text) != 36) return false;
    for (int i = 0; i < 36; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text[i] != '-' : strchr("0123456789abcdef", text[i]) == NULL) return false;
    }
    return true;
}

static bool is_made_of(const char *text, const char *more, size_t least, size_t most) {
    if (text == NULL || strlen(text) < least || strlen(text) > most) return false;
    for (const char *at = text; *at != '\0'; at++) {
        bool is_plain = (unsigned char)*at < 128 && isalnum((unsigned char)*at);
        if (!is_plain && strchr(more, *at) == NULL) return false;
    }
    return true;
}

bool is_definition_id(const char *text) {
    return is_made_of(text, "_-", 1, 64) && strcmp(text, "_") != 0 && strcmp(text, "executions") != 0;
}

bool is_own_code(const char *text) {
    if (!is_made_of(text, "_", 1, 64) || !isupper((unsigned char)text[0])) return false;
    for (const char *at = text; *at != '\0'; at++) {
        if (islower((unsigned char)*at)) return false;
    }
    return true;
}

bool is_subject(const char *text) {
    if (text == NULL || *text == '\0') return false;
    for (const char *at = text; *at != '\0'; at++) {
        if (strchr(" \t\r\n*>", *at) != NULL) return false;
        if (*at == '.' && (at == text || at[1] == '.' || at[1] == '\0')) return false;
    }
    return true;
}

// ── subjects ─────────────────────────────────────────────────────────────────────────────────────

static char prefix[65];
static bool is_flow = true;

bool set_subjects(const char *given, const char *layout) {
    if (!is_made_of(given, "_-", 1, 64)) return false;
    if (strcmp(layout, "flow") != 0 && strcmp(layout, "correlated") != 0) return false;
    snprintf(prefix, sizeof prefix, "%s", given);
    is_flow = strcmp(layout, "flow") == 0;
    return true;
}

char *event_subject(const char *entity, const char *exec_id, const char *word, const char *correlation) {
    if (is_flow) return text_of("%s.events.%s.instance.%s.%s", prefix, entity, exec_id, word);
    return text_of("%s.%s.%s.events.%s.%s", prefix, correlation, entity, exec_id, word);
}

char *progress_subject(const char *entity, const char *exec_id, const char *word, const char *correlation) {
    if (is_flow) return text_of("%s.progress.%s.%s.%s", prefix, entity, exec_id, word);
    return text_of("%s.%s.%s.progress.%s.%s", prefix, correlation, entity, exec_id, word);
}

char *tool_subject(const char *scope, const char *word, const char *target, const char *correlation) {
    if (is_flow) return text_of("%s.commands.tool.%s.%s.%s", prefix, scope, word, target);
    return text_of("%s.%s.tool.commands.%s.%s", prefix, correlation, target, word);
}

char *log_subject(const char *component, const char *correlation) {
    if (is_flow) return text_of("%s.logs.%s.%s.error", prefix, component, correlation);
    return text_of("%s.%s.%s.logs.error", prefix, correlation, component);
}

char *rejected_subject(const char *code) {
    char *subject = text_of("%s.rejected.%s", prefix, code);
    for (char *at = subject + strlen(prefix); *at != '\0'; at++) *at = (char)tolower((unsigned char)*at);
    return subject;
}

char *heartbeat_subject(const char *runtime) {
    return text_of("%s.heartbeats.agent_runtime.%s", prefix, runtime);
}

char *runtime_commands_pattern(const char *runtime) {
    if (is_flow) return text_of("%s.commands.agent_runtime.%s.>", prefix, runtime);
    return text_of("%s.*.agent_runtime.commands.%s.>", prefix, runtime);
}

char *tool_cancels_pattern(void) {
    return text_of(is_flow ? "%s.commands.tool.*.cancel.*" : "%s.*.tool.commands.*.cancel", prefix);
}

void words_of_subject(const char *subject, char action[65], char target[65]) {
    action[0] = target[0] = '\0';
    const char *rest = subject + strlen(prefix) + 1;
    char left[8];
    // commands.<entity>.<scope or runtime>.<action>.<target>
    if (is_flow && sscanf(rest, "%*[^.].%*[^.].%*[^.].%64[^.].%64[^.]%7s", action, target, left) == 2) return;
    action[0] = target[0] = '\0';
    if (is_flow) return;
    // <correlation>.<entity>.commands.<target, or runtime>.<action>
    char entity[65] = "";
    int count = sscanf(rest, "%*[^.].%64[^.].%*[^.].%64[^.].%64[^.]%7s", entity, target, action, left);
    if (count != 3) action[0] = '\0';
    if (count != 3 || strcmp(entity, "tool") != 0) target[0] = '\0';
}

// ── writing ──────────────────────────────────────────────────────────────────────────────────────

/// A text in C ends at its first zero: U+0000 is kept as two bytes, C0 80, which no text in UTF-8 has.
static char *with_kept_zeros(const char *data, int size) {
    char *kept = room_for((size_t)size + 1), *to = kept;
    for (int i = 0; i < size; i++) {
        bool is_zero = i + 5 < size && memcmp(data + i, "\\u0000", 6) == 0;
        if (is_zero) {
            *to++ = '\xc0';
            *to++ = '\x80';
            i += 5;
        } else {
            *to++ = data[i];
            if (data[i] == '\\' && i + 1 < size) *to++ = data[++i];
        }
    }
    return kept;
}

/// The other way round; the text is used up.
static char *with_written_zeros(char *text) {
    size_t zeros = 0;
    for (const char *at = text; (at = strstr(at, "\xc0\x80")) != NULL; at += 2) zeros++;
    if (zeros == 0) return text;
    char *written = room_for(strlen(text) + 4 * zeros + 1), *to = written;
    for (const char *at = text; *at != '\0';) {
        bool is_zero = strncmp(at, "\xc0\x80", 2) == 0;
        memcpy(to, is_zero ? "\\u0000" : at, is_zero ? 6 : 1);
        to += is_zero ? 6 : 1;
        at += is_zero ? 2 : 1;
    }
    free(text);
    return written;
}

/// cJSON writes a number near enough; here it is written so that it is read as the same.
static void write_numbers(cJSON *item) {
    for (; item != NULL; item = item->next) {
        write_numbers(item->child);
        if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble)) continue;
        char digits[32];
        for (int count = 15; count <= 17; count++) {
            snprintf(digits, sizeof digits, "%.*g", count, item->valuedouble);
            if (strtod(digits, NULL) == item->valuedouble) break;
        }
        item->type = cJSON_Raw;
        item->valuestring = copy_of(digits);
    }
}

char *write_message(const char *name, const char *source, const struct cause *cause, const cJSON *sections,
                    cJSON *payload, uuid message_id) {
    char timestamp[32];
    write_timestamp(timestamp);
    new_uuid(message_id);
    cJSON *message = cJSON_CreateObject();
    cJSON *metadata = cJSON_AddObjectToObject(message, "metadata");
    cJSON_AddStringToObject(metadata, "message_id", message_id);
    cJSON_AddStringToObject(metadata, "message_type", name);
    cJSON_AddStringToObject(metadata, "correlation_id", cause->correlation);
    if (cause->message[0] != '\0') cJSON_AddStringToObject(metadata, "causation_id", cause->message);
    cJSON_AddStringToObject(metadata, "event_timestamp", timestamp);
    cJSON_AddStringToObject(metadata, "source_component", source);
    const cJSON *section;
    cJSON_ArrayForEach(section, sections) {
        cJSON_AddItemToObject(message, section->string, cJSON_Duplicate(section, true));
    }
    cJSON_AddItemToObject(message, "payload", payload);
    write_numbers(message);
    char *text = cJSON_PrintUnformatted(message);
    cJSON_Delete(message);
    return with_written_zeros(text);
}

// ── reading ──────────────────────────────────────────────────────────────────────────────────────

const char *text_in(const cJSON *object, const char *name) {
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

const cJSON *part_of(const cJSON *object, const char *name) {
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsObject(found) ? found : NULL;
}

bool is_count(const cJSON *value, double least) {
    return cJSON_IsNumber(value) && value->valuedouble >= least && value->valuedouble == floor(value->valuedouble);
}

__attribute__((format(printf, 3, 4))) static void refuse(struct refusal *why, const char *code, const char *format,
                                                         ...) {
    if (why->code != NULL) return;
    why->code = code;
    va_list words;
    va_start(words, format);
    vsnprintf(why->message, sizeof why->message, format, words);
    va_end(words);
}

static bool is_utf8(const unsigned char *at, const unsigned char *end) {
    while (at < end) {
        int more = *at < 0x80 ? 0 : (*at & 0xe0) == 0xc0 ? 1 : (*at & 0xf0) == 0xe0 ? 2 : (*at & 0xf8) == 0xf0 ? 3 : -1;
        if (more < 0 || end - at <= more || *at == 0xc0 || *at == 0xc1 || *at > 0xf4) return false;
        if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f)) return false;
        if ((*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f)) return false;
        for (int i = 1; i <= more; i++) {
            if ((at[i] & 0xc0) != 0x80) return false;
        }
        at += more + 1;
    }
    return true;
}

#define DEPTH_MAX 100

bool can_travel(const char *text) {
    int depth = 0, deepest = 0;
    bool is_quoted = false;
    for (const char *at = text; *at != '\0'; at++) {
        if (is_quoted && *at == '\\') at++;
        else if (*at == '"') is_quoted = !is_quoted;
        else if (!is_quoted && (*at == '{' || *at == '[') && ++depth > deepest) deepest = depth;
        else if (!is_quoted && (*at == '}' || *at == ']')) depth--;
    }
    return deepest <= DEPTH_MAX && is_utf8((const unsigned char *)text, (const unsigned char *)text + strlen(text));
}

cJSON *read_body(const char *data, int size, struct refusal *why) {
    const unsigned char *bytes = (const unsigned char *)data;
    bool is_text = is_utf8(bytes, bytes + size) && memchr(data, '\0', (size_t)size) == NULL;
    bool has_mark = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0;
    char *kept = with_kept_zeros(data, size);
    cJSON *body = is_text && !has_mark ? cJSON_ParseWithOpts(kept, NULL, true) : NULL;
    free(kept);
    if (body == NULL) refuse(why, "INVALID_ENVELOPE", "the body is not JSON in UTF-8");
    else if (!cJSON_IsObject(body)) refuse(why, "INVALID_ENVELOPE", "the body is not a JSON object");
    if (why->code == NULL) return body;
    cJSON_Delete(body);
    return NULL;
}

static bool is_timestamp(const char *text) {
    int year, month, day, hour, minute, read = 0;
    if (text == NULL) return false;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d%n", &year, &month, &day, &hour, &minute, &read) != 5) return false;
    size_t size = strlen(text);
    return read == 16 && (text[size - 1] == 'Z' || (size > 6 && text[size - 3] == ':'));
}

static const char *const commands[] = {
    "WorkflowExecute", "WorkflowPause", "WorkflowResume", "WorkflowCancel",      "WorkflowSignal",
    "TaskTrigger",     "TaskExecute",   "TaskResume",     "TaskCancel",          "TriggerAgent",
    "AgentCancel",     "ToolExecute",   "ToolCancel",     "AgentRuntimeExecute", "AgentRuntimeCancel",
};

static void check_name(const char *name, const cJSON *given, struct refusal *why) {
    if (given == NULL || (cJSON_IsString(given) && strcmp(given->valuestring, name) == 0)) return;
    for (size_t i = 0; cJSON_IsString(given) && i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(given->valuestring, commands[i]) != 0) continue;
        return refuse(why, "MESSAGE_TYPE_MISMATCH", "'%s' on the subject of %s", given->valuestring, name);
    }
    const char *said = cJSON_IsString(given) ? given->valuestring : "what is no text";
    refuse(why, "UNKNOWN_MESSAGE_TYPE", "no command is named '%.80s'", said);
}

static bool is_cause(const char *text) {
    static const char *const causes[] = {"requested", "timed_out", "caller_lost", "parent_ended"};
    for (size_t i = 0; text != NULL && i < sizeof causes / sizeof *causes; i++) {
        if (strcmp(text, causes[i]) == 0) return true;
    }
    return false;
}

static void check_payload(const char *name, const cJSON *payload, struct refusal *why) {
    const cJSON *context = part_of(payload, "context");
    const char *wrong = NULL;
    if (strstr(name, "Execute") != NULL) {
        const cJSON *time = cJSON_GetObjectItemCaseSensitive(part_of(context, "timeout_config"), "timeout_duration_ms");
        if (!is_count(time, 0)) wrong = "payload.context.timeout_config.timeout_duration_ms";
        if (!cJSON_HasObjectItem(context, "input")) wrong = "payload.context.input";
        if (!is_count(cJSON_GetObjectItemCaseSensitive(context, "attempt"), 1)) wrong = "payload.context.attempt";
    } else {
        if (!is_cause(text_in(context, "cause"))) wrong = "payload.context.cause";
        if (text_in(context, "reason") == NULL) wrong = "payload.context.reason";
    }
    bool has_reply = cJSON_HasObjectItem(payload, "reply_to_subject");
    bool needs_reply = strcmp(name, "AgentRuntimeExecute") == 0;
    if ((has_reply || needs_reply) && !is_subject(text_in(payload, "reply_to_subject"))) {
        wrong = "payload.reply_to_subject";
    }
    if (wrong != NULL) refuse(why, "VALIDATION_FAILED", "%s: missing or wrong", wrong);
}

void check_command(const char *name, const cJSON *body, const char *target, struct refusal *why) {
    const cJSON *metadata = part_of(body, "metadata");
    check_name(name, cJSON_GetObjectItemCaseSensitive(metadata, "message_type"), why);
    const char *wrong = NULL;
    const char *source = text_in(metadata, "source_component");
    if (source == NULL || *source == '\0') wrong = "metadata.source_component";
    if (!is_timestamp(text_in(metadata, "event_timestamp"))) wrong = "metadata.event_timestamp";
    if (!is_uuid(text_in(metadata, "message_id"))) wrong = "metadata.message_id";
    if (!is_uuid(text_in(metadata, "correlation_id"))) wrong = "metadata.correlation_id";

    bool is_execute = strstr(name, "Execute") != NULL;
    const char *entity = strncmp(name, "Tool", 4) == 0 ? "tool" : "agent";
    const char *id = text_in(part_of(body, entity), "id");
    const char *exec_id = text_in(part_of(body, entity), "exec_id");
    if (wrong == NULL && (!is_uuid(exec_id) || (is_execute && !is_definition_id(id)))) wrong = entity;
    if (wrong != NULL) refuse(why, "INVALID_ENVELOPE", "%s: missing or wrong", wrong);
    else if (*target != '\0' && strcmp(is_execute ? id : exec_id, target) != 0) {
        refuse(why, "INVALID_ENVELOPE", "%s is another than the subject says", entity);
    }
    check_payload(name, part_of(body, "payload"), why);
}
