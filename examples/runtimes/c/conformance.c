// The agent and the tool that `troupe runtime-test` can test completely: they do what their input says.

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

static atomic_int begun_agents, begun_tools;

static const char *text_of_field(const cJSON *input, const char *name) {
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(input, name));
}

static double number_of_field(const cJSON *input, const char *name, double otherwise) {
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(input, name);
    return cJSON_IsNumber(found) ? found->valuedouble : otherwise;
}

/// {name: value}; the value is used up.
static cJSON *object_of(const char *name, cJSON *value) {
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToObject(object, name, value == NULL ? cJSON_CreateNull() : value);
    return object;
}

static bool does(const cJSON *input, const char *what) {
    const char *asked = text_of_field(input, "do");
    return asked != NULL && strcmp(asked, what) == 0;
}

static cJSON *behave(const cJSON *input, struct run *run, int begun) {
    if (does(input, "echo")) return object_of("echo", cJSON_Duplicate(cJSON_GetObjectItem(input, "value"), true));
    if (does(input, "fail")) return run_fail(run, text_of_field(input, "code"), text_of_field(input, "message"));
    if (does(input, "empty")) return NULL;
    if (does(input, "count")) return object_of("begun", cJSON_CreateNumber(begun));
    if (does(input, "hang")) {
        double ms = number_of_field(input, "ms", 60000);
        if (!run_sleep(run, (int64_t)ms)) return NULL;
        return object_of("waited", cJSON_CreateNumber(ms));
    }
    if (does(input, "large")) {
        size_t size = (size_t)number_of_field(input, "bytes", 0);
        char *text = calloc(1, size + 1);
        if (text == NULL) return run_fail(run, "NO_MEMORY", "so much is not to be had");
        memset(text, 'x', size);
        cJSON *output = object_of("text", cJSON_CreateString(text));
        free(text);
        return output;
    }
    return run_fail(run, "UNKNOWN_BEHAVIOUR", "no behaviour is named so");
}

static cJSON *conformance_agent(const cJSON *input, struct run *run) {
    int begun = ++begun_agents;
    const char *text = text_of_field(input, "text"), *tool = text_of_field(input, "tool");
    if (does(input, "think") && text != NULL) {
        run_thinking(run, text);
        run_token(run, text);
        run_step(run, object_of("at", cJSON_CreateNumber(1)));
        return object_of("thought", cJSON_CreateString(text));
    }
    if (does(input, "tool") && tool != NULL) {
        cJSON *asked = cJSON_Duplicate(cJSON_GetObjectItem(input, "input"), true);
        cJSON *output = run_tool(run, tool, asked, 30000);
        return output == NULL ? NULL : object_of("tool", output);
    }
    return behave(input, run, begun);
}

static cJSON *conformance_tool(const cJSON *input, struct run *run) {
    return behave(input, run, ++begun_tools);
}

static const char *check_input(const cJSON *input) {
    static const char *const known[] = {"echo", "fail", "empty", "hang", "large", "count"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (does(input, known[i])) return NULL;
    }
    return "`do` must be one of echo, fail, empty, hang, large, count";
}

static int milliseconds(const char *variable) {
    const char *said = getenv(variable);
    return said == NULL ? 0 : atoi(said);
}

int main(void) {
    // Both of them, unless one is asked for.
    const char *serves = getenv("CONFORMANCE_SERVES");
    if (serves == NULL || strstr(serves, "agent") != NULL) serve_agent("conformance", conformance_agent);
    if (serves == NULL || strstr(serves, "tool") != NULL) serve_tool("conformance", conformance_tool, check_input);
    const struct serve_options options = {
        .capacity = 4,
        .heartbeat_ms = milliseconds("TROUPE_HEARTBEAT_MS"),
        .lease_ms = milliseconds("TROUPE_LEASE_MS"),
        .drain_ms = milliseconds("TROUPE_DRAIN_MS"),
    };
    return serve("conformance", &options);
}
