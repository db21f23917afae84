#include "post.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// How long something may be of use to whoever is away.
#define USEFUL_MS 60000
#define AGAIN_MS 500
/// How long a stream may take to acknowledge.
#define ACKNOWLEDGED_WITHIN_MS 5000
/// Who does not say within this that nobody hears it, has heard it.
#define HEARD_WITHIN_MS 500
#define HEADERS_BYTES 256
#define PING_MS 5000
#define RECONNECT_MS 250
#define SUBSCRIPTIONS_MAX 128

/// Something that is on its way until the other side has it.
struct parcel {
    struct parcel *next;
    unsigned long number;
    enum care care;
    natsMsg *message;
    int64_t made_at;
    /// When it is sent again, or is done.
    int64_t due_at;
    bool was_sent;
};

static natsConnection *connection;
static char *inbox;
static void (*hear_answer)(natsMsg *);
static void (*hear_back)(void);
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t dropped;
static struct parcel *parcels;
static natsSubscription *subscriptions[SUBSCRIPTIONS_MAX];
static int subscription_count;
static unsigned long last_number;

// ── parcels ──────────────────────────────────────────────────────────────────────────────────────

/// Whether it is under way; a connection that is cut keeps nothing for later.
static bool is_sent(natsMsg *message) {
    if (natsConnection_Status(connection) != NATS_CONN_STATUS_CONNECTED) return false;
    return natsConnection_PublishMsg(connection, message) == NATS_OK;
}

static void send_parcel(struct parcel *parcel) {
    parcel->was_sent = is_sent(parcel->message);
    int wait = !parcel->was_sent ? AGAIN_MS : parcel->care == KEEP ? ACKNOWLEDGED_WITHIN_MS : HEARD_WITHIN_MS;
    parcel->due_at = ticks_ms() + wait;
}

static void drop(struct parcel **place) {
    struct parcel *parcel = *place;
    *place = parcel->next;
    natsMsg_Destroy(parcel->message);
    free(parcel);
    pthread_cond_broadcast(&dropped);
}

unsigned long post_send(enum care care, char *subject, const char *reply, const struct cause *cause,
                        const char *message_id, char *text) {
    natsMsg *message = NULL;
    char *way_back = NULL;
    pthread_mutex_lock(&lock);
    unsigned long number = ++last_number;
    if (care != NEWS) way_back = text_of("%s.post.%lu", inbox, number);
    if (natsMsg_Create(&message, subject, care == NEWS ? reply : way_back, text, (int)strlen(text)) == NATS_OK) {
        natsMsgHeader_Set(message, "Nats-Msg-Id", message_id);
        natsMsgHeader_Set(message, "Troupe-Correlation-Id", cause->correlation);
        if (cause->traceparent[0] != '\0') natsMsgHeader_Set(message, "traceparent", cause->traceparent);
        if (cause->tracestate[0] != '\0') natsMsgHeader_Set(message, "tracestate", cause->tracestate);
    }
    if (message != NULL && care == NEWS) {
        is_sent(message);
        natsMsg_Destroy(message);
    } else if (message != NULL) {
        struct parcel *parcel = room_for(sizeof *parcel);
        *parcel = (struct parcel){.number = number, .care = care, .message = message, .made_at = ticks_ms()};
        // At the end, so that what is sent again keeps its order.
        struct parcel **place = &parcels;
        while (*place != NULL) place = &(*place)->next;
        *place = parcel;
        send_parcel(parcel);
    }
    pthread_mutex_unlock(&lock);
    free(way_back);
    free(subject);
    free(text);
    return number;
}

static bool is_under_way(unsigned long number) {
    struct parcel *parcel = parcels;
    while (parcel != NULL && parcel->number != number) parcel = parcel->next;
    return parcel != NULL;
}

void post_await(unsigned long number, int64_t ms) {
    int64_t until_ms = ticks_ms() + ms;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_mutex_lock(&lock);
    while (is_under_way(number) && ticks_ms() < until_ms) pthread_cond_timedwait(&dropped, &lock, &until);
    pthread_mutex_unlock(&lock);
}

/// The stream has it, or nobody hears it.
static void answer_parcel(unsigned long number, natsMsg *answer) {
    pthread_mutex_lock(&lock);
    for (struct parcel **place = &parcels; *place != NULL; place = &(*place)->next) {
        struct parcel *parcel = *place;
        if (parcel->number != number) continue;
        const char *said = natsMsg_GetData(answer);
        bool is_missed = natsMsg_IsNoResponders(answer);
        bool is_kept = !is_missed && said != NULL && strstr(said, "\"error\"") == NULL;
        if (is_kept && parcel->care == KEEP) {
            drop(place);
        } else {
            parcel->was_sent = false;
            parcel->due_at = ticks_ms() + AGAIN_MS;
        }
        break;
    }
    pthread_mutex_unlock(&lock);
}

void post_tick(void) {
    pthread_mutex_lock(&lock);
    int64_t now = ticks_ms();
    struct parcel **place = &parcels;
    while (*place != NULL) {
        struct parcel *parcel = *place;
        bool is_heard = parcel->care == DELIVER && parcel->was_sent;
        if (now >= parcel->due_at && (is_heard || now - parcel->made_at > USEFUL_MS)) {
            if (!is_heard) fprintf(stderr, "%s was sent in vain\n", natsMsg_GetSubject(parcel->message));
            drop(place);
            continue;
        }
        // The stream knows it by its message id, and keeps it once.
        if (now >= parcel->due_at) send_parcel(parcel);
        place = &parcel->next;
    }
    pthread_mutex_unlock(&lock);
}

bool post_is_settled(void) {
    pthread_mutex_lock(&lock);
    bool is_settled = parcels == NULL;
    pthread_mutex_unlock(&lock);
    return is_settled;
}

char *post_inbox(const char *token) {
    return text_of("%s.call.%s", inbox, token);
}

int post_bytes_max(const struct cause *cause) {
    int64_t spare = HEADERS_BYTES + (int64_t)strlen(cause->traceparent) + (int64_t)strlen(cause->tracestate);
    int64_t most = natsConnection_GetMaxPayload(connection) - spare;
    return most < MESSAGE_BYTES_MAX ? (int)most : MESSAGE_BYTES_MAX;
}

// ── the connection ───────────────────────────────────────────────────────────────────────────────

static void on_inbox(natsConnection *nc, natsSubscription *sub, natsMsg *message, void *closure) {
    (void)nc, (void)sub, (void)closure;
    const char *rest = natsMsg_GetSubject(message) + strlen(inbox) + 1;
    if (strncmp(rest, "post.", 5) == 0) {
        answer_parcel(strtoul(rest + 5, NULL, 10), message);
        natsMsg_Destroy(message);
    } else {
        hear_answer(message);
    }
}

static void on_disconnected(natsConnection *nc, void *closure) {
    (void)nc, (void)closure;
    fputs("the connection is lost\n", stderr);
    // What was under way is not known to have arrived.
    pthread_mutex_lock(&lock);
    for (struct parcel *parcel = parcels; parcel != NULL; parcel = parcel->next) {
        parcel->was_sent = false;
        parcel->due_at = ticks_ms();
    }
    pthread_mutex_unlock(&lock);
}

static void on_reconnected(natsConnection *nc, void *closure) {
    (void)nc, (void)closure;
    fputs("connected again\n", stderr);
    hear_back();
}

static void on_error(natsConnection *nc, natsSubscription *sub, natsStatus status, void *closure) {
    (void)sub, (void)closure;
    const char *said = NULL;
    natsConnection_GetLastError(nc, &said);
    fprintf(stderr, "NATS: %s. %s\n", natsStatus_GetText(status), said == NULL ? "" : said);
    // It would be given work, and not hear of it.
    if (status == NATS_NOT_PERMITTED && said != NULL && strstr(said, "Subscription") != NULL) _Exit(1);
}

static void must(natsStatus status, const char *what) {
    if (status == NATS_OK) return;
    const char *last = nats_GetLastError(NULL);
    fprintf(stderr, "%s: %s. %s\n", what, natsStatus_GetText(status), last == NULL ? "" : last);
    exit(1);
}

static const char *said(const char *variable) {
    const char *value = getenv(variable);
    return value != NULL && *value != '\0' ? value : NULL;
}

static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// So many bytes of a text in base 32; false if it is none.
static bool from_base32(const char *text, unsigned char *bytes, size_t size) {
    uint32_t bits = 0;
    int count = 0;
    for (size_t i = 0; i < size; text++) {
        const char *digit = *text == '\0' ? NULL : strchr(base32, *text);
        if (digit == NULL) return false;
        bits = bits << 5 | (uint32_t)(digit - base32);
        count += 5;
        if (count < 8) continue;
        count -= 8;
        bytes[i++] = (unsigned char)(bits >> count);
    }
    return true;
}

static void to_base32(const unsigned char *bytes, size_t size, char *text) {
    uint32_t bits = 0;
    int count = 0;
    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | bytes[i];
        for (count += 8; count >= 5; count -= 5) *text++ = base32[bits >> (count - 5) & 31];
    }
    if (count > 0) *text++ = base32[bits << (5 - count) & 31];
    *text = '\0';
}

static uint16_t checksum(const unsigned char *bytes, size_t size) {
    uint16_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum ^= (uint16_t)(bytes[i] << 8);
        for (int bit = 0; bit < 8; bit++) sum = (uint16_t)(sum & 0x8000 ? sum << 1 ^ 0x1021 : sum << 1);
    }
    return sum;
}

/// A seed says the secret key alone, and the server wants to be told the public one.
static void public_key_of(const char *file, char name[64]) {
    char seed[128] = "";
    unsigned char raw[36], named[35] = {20 << 3};
    size_t size = 32;
    FILE *opened = fopen(file, "r");
    bool is_read = opened != NULL && fgets(seed, sizeof seed, opened) != NULL;
    if (opened != NULL) fclose(opened);
    bool is_seed = is_read && from_base32(seed, raw, sizeof raw) && (raw[0] & 0xf8) == 18 << 3;
    if (!is_seed || checksum(raw, 34) != (raw[34] | raw[35] << 8)) {
        fprintf(stderr, "NATS_NKEY: %s holds no nkey seed\n", file);
        exit(1);
    }
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw + 2, 32);
    if (key == NULL || EVP_PKEY_get_raw_public_key(key, named + 1, &size) != 1) {
        fputs("NATS_NKEY: no public key can be made of it\n", stderr);
        exit(1);
    }
    EVP_PKEY_free(key);
    uint16_t sum = checksum(named, 33);
    named[33] = (unsigned char)sum;
    named[34] = (unsigned char)(sum >> 8);
    to_base32(named, sizeof named, name);
    OPENSSL_cleanse(seed, sizeof seed);
    OPENSSL_cleanse(raw, sizeof raw);
}

/// As the tools of NATS have it.
static void sign_in(natsOptions *options) {
    if (said("NATS_CREDS") != NULL) {
        must(natsOptions_SetUserCredentialsFromFiles(options, said("NATS_CREDS"), NULL), "NATS_CREDS");
    } else if (said("NATS_NKEY") != NULL) {
        char name[64];
        public_key_of(said("NATS_NKEY"), name);
        must(natsOptions_SetNKeyFromSeed(options, name, said("NATS_NKEY")), "NATS_NKEY");
    } else if (said("NATS_TOKEN") != NULL) {
        must(natsOptions_SetToken(options, said("NATS_TOKEN")), "NATS_TOKEN");
    } else if (said("NATS_USER") != NULL) {
        const char *password = said("NATS_PASSWORD");
        must(natsOptions_SetUserInfo(options, said("NATS_USER"), password == NULL ? "" : password), "NATS_USER");
    }
    if (said("NATS_CA") != NULL) {
        must(natsOptions_LoadCATrustedCertificates(options, said("NATS_CA")), "NATS_CA");
        must(natsOptions_SetSecure(options, true), "NATS_CA");
    }
    if (said("NATS_CERT") != NULL) {
        must(natsOptions_LoadCertificatesChain(options, said("NATS_CERT"), said("NATS_KEY")), "NATS_CERT");
    }
}

void post_open(const char *runtime, const char *name, void (*when_back)(void), void (*on_answer)(natsMsg *answer)) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&dropped, &attributes);
    pthread_condattr_destroy(&attributes);
    hear_back = when_back;
    hear_answer = on_answer;
    inbox = text_of("_INBOX_%s", runtime);
    natsOptions *options = NULL;
    must(natsOptions_Create(&options), "NATS");
    must(natsOptions_SetURL(options, said("NATS_URL") == NULL ? NATS_DEFAULT_URL : said("NATS_URL")), "NATS_URL");
    sign_in(options);
    natsOptions_SetName(options, name);
    natsOptions_SetCustomInboxPrefix(options, inbox);
    natsOptions_SetMaxReconnect(options, -1);
    natsOptions_SetReconnectWait(options, RECONNECT_MS);
    natsOptions_SetReconnectJitter(options, RECONNECT_MS, RECONNECT_MS);
    natsOptions_SetPingInterval(options, PING_MS);
    natsOptions_SetMaxPingsOut(options, 2);
    natsOptions_SetDisconnectedCB(options, on_disconnected, NULL);
    natsOptions_SetReconnectedCB(options, on_reconnected, NULL);
    natsOptions_SetErrorHandler(options, on_error, NULL);
    natsStatus status;
    while ((status = natsConnection_Connect(&connection, options)) == NATS_NO_SERVER || status == NATS_TIMEOUT) {
        fputs("cannot connect to the server of NATS_URL; trying again\n", stderr);
        nats_Sleep(4 * RECONNECT_MS);
    }
    must(status, "cannot connect");
    natsOptions_Destroy(options);
    char *all = text_of("%s.*.*", inbox);
    post_subscribe(all, NULL, on_inbox);
    free(all);
}

natsSubscription *post_subscribe(const char *subject, const char *group, natsMsgHandler callback) {
    natsSubscription *made = NULL;
    if (subscription_count == SUBSCRIPTIONS_MAX) must(NATS_ILLEGAL_STATE, subject);
    if (group == NULL) must(natsConnection_Subscribe(&made, connection, subject, callback, NULL), subject);
    else must(natsConnection_QueueSubscribe(&made, connection, subject, group, callback, NULL), subject);
    subscriptions[subscription_count++] = made;
    return made;
}

void post_flush(void) {
    natsConnection_FlushTimeout(connection, ACKNOWLEDGED_WITHIN_MS);
}

void post_close(void) {
    natsConnection_Close(connection);
    while (subscription_count > 0) natsSubscription_Destroy(subscriptions[--subscription_count]);
    natsConnection_Destroy(connection);
    nats_CloseAndWait(0);
    while (parcels != NULL) drop(&parcels);
    free(inbox);
}
