// Serves agents and tools written in C, over NATS.
//
//     static cJSON *clerk(const cJSON *input, struct run *run) {
//         run_thinking(run, "Looking it up");
//         cJSON *output = cJSON_CreateObject();
//         cJSON_AddStringToObject(output, "text", "A7 was sent.");
//         return output;
//     }
//
//     int main(void) {
//         serve_agent("clerk", clerk);
//         return serve("clerk", NULL);
//     }
//
// Each run has a thread of its own. A handler that is told to stop sees it by run_is_canceled, and wakes from run_sleep
// and run_tool. What goes over the wire stands in docs/runtimes.md.

#ifndef RUNTIME_H
#define RUNTIME_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

/// One run of an agent or a tool.
struct run;

/// Gives the output, which the runtime deletes; or nothing, after run_fail. What is no object becomes {"value": …}.
typedef cJSON *(*handler)(const cJSON *input, struct run *run);
/// What is wrong with an input, or nothing; then the tool is not begun.
typedef const char *(*check)(const cJSON *input);

void serve_agent(const char *id, handler handler);
/// The check may be nothing.
void serve_tool(const char *id, handler handler, check check);

struct serve_options {
    /// So many agents at once, and so many tools. 0 anywhere here is the default: 8.
    int capacity;
    /// 5,000, 15,000 and 30,000.
    int heartbeat_ms, lease_ms, drain_ms;
};

/// Serves until SIGTERM or SIGINT, then lets what runs end; a second signal ends it at once. Gives the exit code.
/// Where the server is, and who we are there, stands in the environment: NATS_URL, NATS_NKEY or NATS_CREDS,
/// TROUPE_PREFIX, TROUPE_SUBJECTS.
int serve(const char *name, const struct serve_options *options);

/// The same whenever the same attempt is asked for again: for what must not happen twice.
const char *run_exec_id(const struct run *run);
int run_attempt(const struct run *run);
/// Whether it is to stop: whatever it returns after that is dropped.
bool run_is_canceled(struct run *run);
/// Waits; false if it is to stop before that.
bool run_sleep(struct run *run, int64_t ms);
/// What the agent thinks, a piece of its answer, a step that it has done: as progress for whoever watches. The step is
/// used up.
void run_thinking(struct run *run, const char *text);
void run_token(struct run *run, const char *text);
void run_step(struct run *run, cJSON *step);
/// Runs a tool by its id; the input is used up. Gives the output, which is to be deleted; or nothing, and the run has
/// failed with the tool's code unless another run_fail says otherwise.
cJSON *run_tool(struct run *run, const char *id, cJSON *input, int timeout_ms);
/// Fails the run, with a code in capitals that retry rules may name. Gives nothing, to be returned.
cJSON *run_fail(struct run *run, const char *code, const char *message);

#endif
