#include "runtime.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orders.h"
#include "post.h"

#define TICK_MS 50
#define CAPACITY 8
#define HEARTBEAT_MS 5000
#define LEASE_MS 15000
#define DRAIN_MS 30000
/// How long runs that were told to stop, and what they still say, may take.
#define FAREWELL_MS 6000
/// How long a run that has ended is known, so that its order, coming again, does not begin it anew.
#define REMEMBERED_MS 120000

static struct serve_options options;
static uuid own_id;
static struct cause origin;
static atomic_bool must_register;
static int beats;

static void serve_one(enum kind kind, const char *id, handler handler, check check) {
    const char *wrong = is_definition_id(id) ? NULL : "an id has 1 to 64 letters, digits, _ and -";
    if (service.count == SERVED_MAX) wrong = "there are too many";
    for (int i = 0; i < service.count; i++) {
        if (service.served[i].kind == kind && strcmp(service.served[i].id, id) == 0) wrong = "it is served already";
    }
    if (wrong != NULL) {
        fprintf(stderr, "'%s' cannot be served: %s\n", id, wrong);
        exit(2);
    }
    service.served[service.count++] = (struct served){.kind = kind, .id = id, .handler = handler, .check = check};
}

void serve_agent(const char *id, handler handler) {
    serve_one(AGENT, id, handler, NULL);
}

void serve_tool(const char *id, handler handler, check check) {
    serve_one(TOOL, id, handler, check);
}

// ── coming and going ─────────────────────────────────────────────────────────────────────────────

static void say_of_itself(enum care care, const char *name, char *subject, const cJSON *own, cJSON *payload) {
    uuid id;
    cJSON *sections = cJSON_CreateObject();
    cJSON_AddItemToObject(sections, "agent_runtime", cJSON_Duplicate(own, true));
    char *text = write_message(name, AGENT_RUNTIME, &origin, sections, payload, id);
    post_send(care, subject, NULL, &origin, id, text);
    cJSON_Delete(sections);
}

static void beat(void) {
    int in_flight = orders_running(AGENT);
    cJSON *payload = cJSON_CreateObject();
    cJSON *context = cJSON_AddObjectToObject(payload, "context");
    cJSON_AddNumberToObject(context, "seq", ++beats);
    cJSON_AddNumberToObject(context, "in_flight", in_flight);
    if (service.is_draining) cJSON_AddTrueToObject(context, "draining");
    say_of_itself(NEWS, "AgentRuntimeHeartbeat", heartbeat_subject(own_id), own_section, payload);
}

static void say_registered(void) {
    cJSON *own = cJSON_Duplicate(own_section, true);
    cJSON *capabilities = cJSON_AddObjectToObject(own, "capabilities");
    cJSON *agents = cJSON_AddArrayToObject(capabilities, "agents");
    for (int i = 0; i < service.count; i++) {
        if (service.served[i].kind == AGENT) cJSON_AddItemToArray(agents, cJSON_CreateString(service.served[i].id));
    }
    cJSON_AddArrayToObject(capabilities, "supported_providers");
    cJSON_AddArrayToObject(capabilities, "supported_models");
    cJSON_AddNumberToObject(capabilities, "max_concurrent_executions", service.capacity);
    cJSON_AddStringToObject(capabilities, "language", "c");
    cJSON_AddStringToObject(capabilities, "version", "1.0.0");
    cJSON *payload = state_payload("REGISTERED");
    cJSON *context = cJSON_GetObjectItem(payload, "context");
    cJSON_AddNumberToObject(context, "heartbeat_ms", options.heartbeat_ms);
    cJSON_AddNumberToObject(context, "lease_ms", options.lease_ms);
    char *subject = event_subject("agent_runtime", own_id, "registered", own_id);
    // No beat yet: it would overtake what goes by the stream, and come from a stranger.
    say_of_itself(KEEP, "AgentRuntimeRegistered", subject, own, payload);
    cJSON_Delete(own);
}

static void say_deregistered(void) {
    cJSON *payload = state_payload("DEREGISTERED");
    cJSON_AddStringToObject(cJSON_GetObjectItem(payload, "context"), "reason", "shutdown");
    char *subject = event_subject("agent_runtime", own_id, "deregistered", own_id);
    say_of_itself(KEEP, "AgentRuntimeDeregistered", subject, own_section, payload);
}

// ── serving ──────────────────────────────────────────────────────────────────────────────────────

/// The dispatcher has given this runtime up, or it says farewell itself.
static void on_deregistered(natsConnection *nc, natsSubscription *sub, natsMsg *message, void *closure) {
    (void)nc, (void)sub, (void)closure;
    must_register = true;
    natsMsg_Destroy(message);
}

static void on_back(void) {
    must_register = true;
    calls_again();
}

/// Does what time brings; gives a signal if one came.
static int tick(int64_t *beaten_at, const sigset_t *signals) {
    if (must_register && !service.is_draining) {
        must_register = false;
        say_registered();
        *beaten_at = ticks_ms();
    }
    if (ticks_ms() - *beaten_at >= options.heartbeat_ms) {
        beat();
        *beaten_at = ticks_ms();
    }
    orders_tick(ticks_ms() - REMEMBERED_MS);
    post_tick();
    struct timespec moment = {.tv_nsec = TICK_MS * 1000000L};
    int number = sigtimedwait(signals, NULL, &moment);
    return number > 0 ? number : 0;
}

static bool is_idle(void) {
    return orders_running(AGENT) + orders_running(TOOL) == 0 && post_is_settled();
}

static void settle(int64_t ms, int64_t *beaten_at, const sigset_t *signals) {
    int64_t until = ticks_ms() + ms;
    while (ticks_ms() < until && !is_idle()) {
        if (tick(beaten_at, signals) != 0) _Exit(1);
    }
}

static void drain(int64_t *beaten_at, const sigset_t *signals) {
    fputs("draining: what runs may end\n", stderr);
    service.is_draining = true;
    beat();
    orders_end();
    settle(options.drain_ms, beaten_at, signals);
    orders_stop("the runtime shuts down");
    settle(FAREWELL_MS, beaten_at, signals);
    say_deregistered();
    settle(FAREWELL_MS, beaten_at, signals);
    post_flush();
}

static int or_default(int given, int by_default) {
    return given > 0 ? given : by_default;
}

int serve(const char *name, const struct serve_options *given) {
    if (given != NULL) options = *given;
    service.capacity = or_default(options.capacity, CAPACITY);
    options.heartbeat_ms = or_default(options.heartbeat_ms, HEARTBEAT_MS);
    options.lease_ms = or_default(options.lease_ms, LEASE_MS);
    options.drain_ms = or_default(options.drain_ms, DRAIN_MS);
    const char *runtime = getenv("TROUPE_RUNTIME_ID"), *prefix = getenv("TROUPE_PREFIX");
    const char *layout = getenv("TROUPE_SUBJECTS");
    new_uuid(own_id);
    if (is_uuid(runtime)) snprintf(own_id, sizeof own_id, "%s", runtime);
    bool is_set = set_subjects(prefix == NULL ? "compozy" : prefix, layout == NULL ? "flow" : layout);
    if (!is_set || !is_definition_id(name) || (runtime != NULL && !is_uuid(runtime))) {
        fputs("TROUPE_PREFIX, TROUPE_SUBJECTS, TROUPE_RUNTIME_ID or the name of the runtime cannot be\n", stderr);
        return 2;
    }
    // Before there is any thread: all of them leave these to the loop below.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    snprintf(origin.correlation, sizeof origin.correlation, "%s", own_id);
    own_section = cJSON_CreateObject();
    cJSON_AddStringToObject(own_section, "id", name);
    cJSON_AddStringToObject(own_section, "exec_id", own_id);
    post_open(own_id, name, on_back, calls_hear);
    char *deregistered = event_subject("agent_runtime", own_id, "deregistered", "*");
    post_subscribe(deregistered, NULL, on_deregistered);
    free(deregistered);
    orders_open(own_id);
    fprintf(stderr, "serving as %s\n", own_id);
    must_register = true;
    int64_t beaten_at = ticks_ms();
    while (tick(&beaten_at, &signals) == 0) continue;
    drain(&beaten_at, &signals);
    post_close();
    orders_tick(INT64_MAX);
    cJSON_Delete(own_section);
    return 0;
}
