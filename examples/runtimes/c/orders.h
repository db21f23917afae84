// What a runtime is asked to do: orders and cancels as they come, and the runs that they lead to.

#ifndef ORDERS_H
#define ORDERS_H

#include <stdatomic.h>

#include "run.h"

#define SERVED_MAX 64

struct served {
    enum kind kind;
    const char *id;
    handler handler;
    check check;
    natsSubscription *orders;
};

/// What is served, and so many agents and so many tools at once.
struct service {
    struct served served[SERVED_MAX];
    int count, capacity;
    /// Nothing more is taken.
    atomic_bool is_draining;
};
extern struct service service;

/// Hears orders and cancels for this runtime.
void orders_open(const char *runtime);
/// Hears no more orders of tools; what has come already is still taken.
void orders_end(void);
int orders_running(enum kind kind);
/// What runs is told to stop.
void orders_stop(const char *reason);
/// Lets time pass for all runs, and forgets those that ended before the horizon, or are too many.
void orders_tick(int64_t horizon);

/// {"status", "result": null, "context": {}}
cJSON *state_payload(const char *status);

#endif
