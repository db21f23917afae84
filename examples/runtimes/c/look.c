// A tool in C.

#include "runtime.h"

static cJSON *look(const cJSON *asked, struct run *run) {
    const char *order = cJSON_GetStringValue(cJSON_GetObjectItem(asked, "order"));
    if (order == NULL) return run_fail(run, "NO_ORDER", "which order?");
    cJSON *found = cJSON_CreateObject();
    cJSON_AddStringToObject(found, "order", order);
    cJSON_AddStringToObject(found, "state", "sent");
    return found;
}

int main(void) {
    serve_tool("look", look, NULL);
    return serve("look", NULL);
}
