// The protocol on the wire, as far as a runtime needs it: ids, times, subjects, envelopes, and what is taken of what
// comes. Nothing here is sent, and nothing waits.

#ifndef WIRE_H
#define WIRE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGENT_RUNTIME "agent.Runtime"
#define TOOL_EXECUTOR "tool.Executor"

/// What the protocol allows one message to be, whatever the server takes.
#define MESSAGE_BYTES_MAX 1048576

/// A UUID in lower case, with its end.
typedef char uuid[37];

/// What a message goes back to: it is repeated in all that follows from it.
struct cause {
    uuid correlation;
    /// Empty at a root.
    uuid message;
    char traceparent[129];
    char tracestate[513];
};

/// Why something that came is no message for a runtime. Without a code nothing is wrong.
struct refusal {
    const char *code;
    char message[256];
};

/// A UUID of version 7: it begins with the time, so that ids sort as they were made.
void new_uuid(uuid id);
bool is_uuid(const char *text);
/// Whether it can name an agent or a tool: it becomes a token of a subject.
bool is_definition_id(const char *text);
/// Whether it can be the code of somebody's own error: capitals, such as CARD_DECLINED.
bool is_own_code(const char *text);
/// Whether something can be published there: no wildcard, no blank, no empty token.
bool is_subject(const char *text);

/// Milliseconds by the clock that only goes forward.
int64_t ticks_ms(void);
/// Now, as the protocol writes times.
void write_timestamp(char text[32]);

/// A text as printf makes it, to be freed; the program ends when there is no memory.
__attribute__((format(printf, 1, 2), nonnull(1))) char *text_of(const char *format, ...);
/// A copy, to be freed; of nothing it is empty.
char *copy_of(const char *text);
void *room_for(size_t size);

/// Sets prefix and layout of all subjects; false if one of them cannot be.
bool set_subjects(const char *prefix, const char *layout);
/// Where a message goes, and where one comes from. To be freed.
char *event_subject(const char *entity, const char *exec_id, const char *word, const char *correlation);
char *progress_subject(const char *entity, const char *exec_id, const char *word, const char *correlation);
char *tool_subject(const char *scope, const char *word, const char *target, const char *correlation);
char *log_subject(const char *component, const char *correlation);
char *rejected_subject(const char *code);
char *heartbeat_subject(const char *runtime);
char *runtime_commands_pattern(const char *runtime);
char *tool_cancels_pattern(void);
/// The action of a command, and its target; the target is empty where the subject does not say it.
void words_of_subject(const char *subject, char action[65], char target[65]);

/// A message as text, to be freed. The sections are copied, the payload is used up.
char *write_message(const char *name, const char *source, const struct cause *cause, const cJSON *sections,
                    cJSON *payload, uuid message_id);

/// Whether a message as text is one that everybody can read: UTF-8, and not nested too deeply.
bool can_travel(const char *text);

/// The member of an object, if it is a text; else nothing.
const char *text_in(const cJSON *object, const char *name);
/// The member of an object, if it is an object; else nothing.
const cJSON *part_of(const cJSON *object, const char *name);
/// Whether something is a whole number, and at least so much.
bool is_count(const cJSON *value, double least);

/// The JSON object of a body; nothing, and why, if it is none. In its texts U+0000 is C0 80, and so it is written.
cJSON *read_body(const char *data, int size, struct refusal *why);
/// What is wrong with a command that its subject says is named so.
void check_command(const char *name, const cJSON *body, const char *target, struct refusal *why);

#endif
