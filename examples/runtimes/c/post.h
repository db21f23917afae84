// The way out: a connection to NATS, and what is to be sent over it. News may be lost; what is recorded is sent until
// a stream has it, and a result until somebody hears it.

#ifndef POST_H
#define POST_H

#include <nats/nats.h>

#include "wire.h"

enum care {
    /// Now or never.
    NEWS,
    /// State events: now, and again until the stream has acknowledged it.
    KEEP,
    /// Results: now, and again for a minute while nobody hears it.
    DELIVER,
};

/// Connects as the environment says, and calls back once for each time that there is a connection again; the program
/// ends, and says why, if nobody lets it in.
void post_open(const char *runtime, const char *name, void (*when_back)(void), void (*on_answer)(natsMsg *answer));
/// Hears a subject; the callback owns the message.
natsSubscription *post_subscribe(const char *subject, const char *group, natsMsgHandler callback);

/// Sends a message, and gives the number that it is known by. The subject and the text are used up; `reply` may be
/// nothing.
unsigned long post_send(enum care care, char *subject, const char *reply, const struct cause *cause,
                        const char *message_id, char *text);
/// Waits until the other side has what has this number, but no longer than this.
void post_await(unsigned long number, int64_t ms);
/// A subject to which an answer for this runtime may go. To be freed.
char *post_inbox(const char *token);
/// The most bytes that the body of a message may have.
int post_bytes_max(const struct cause *cause);

/// Sends again what is due. To be called every now and then.
void post_tick(void);
/// Whether all that was to be kept or delivered is.
bool post_is_settled(void);
/// Waits until the server has read all, or for a moment.
void post_flush(void);
void post_close(void);

#endif
