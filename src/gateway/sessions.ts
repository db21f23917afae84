// Sessions: what one client was told, numbered, so that it can come back and go on where it was.
//
//   tell ─▶ number ─▶ kept for a while ─▶ the connection, if there is one
//   attach(last id) ─▶ what followed that, or REPLAY_UNAVAILABLE
//
// Invariants:
//   SE1. The frames of a session are numbered by 1, and a connection is sent them in this order, each once.
//   SE2. Coming back with the last number seen loses nothing and doubles nothing, as long as what followed is kept.
//   SE3. What is kept is bounded: by time, by frames, by bytes of a session and of all, and by sessions.
//   SE4. A session has one connection: the newer one has it, the older one is told.

import type { Troupe } from "../runtime/troupe.ts";
import { TroupeError } from "../protocol/errors.ts";
import { type Ack, errorFrame, type OutFrame } from "./frames.ts";
import type { SocketLimits } from "./socket-limits.ts";

/** Where the frames of a session go. */
export type Link = {
  send(text: string): void;
  /** How many bytes the client has not read yet. */
  unsent(): number;
  /** Another connection has the session now. */
  displaced(): void;
};

type Kept = { id: number; at: number; text: string };
/** What came of a request: nothing yet, or its ack; how often it came again before that. */
export type Request = { ack: Ack | null; content: string; again: number };

export type Session = {
  readonly id: string;
  lastId: number;
  kept: Kept[];
  bytes: number;
  link: Link | null;
  leftAt: number;
  /** What was asked, by its id: a request that comes again is answered as the first time. */
  requests: Map<string, Request>;
};

const requestsMax = 2_000;
/** So many frames stay whatever their age. */
const keptLeast = 1_000;
const sweepMs = 60_000;

export type Sessions = ReturnType<typeof openSessions>;

export function openSessions(clock: Troupe["clock"], limits: SocketLimits) {
  // The one that was left longest ago comes first.
  const sessions = new Map<string, Session>();
  let bytesAll = 0;
  let cancelSweep = clock.alarm(clock.now() + sweepMs, sweep);

  function drop(session: Session, count: number): void {
    for (const { text } of session.kept.splice(0, count)) {
      session.bytes -= text.length;
      bytesAll -= text.length;
    }
  }
  function forget(session: Session): void {
    drop(session, session.kept.length);
    sessions.delete(session.id);
  }
  /** Forgets what has been kept for long enough. */
  function sweep(): void {
    const before = clock.now() - limits.replayMs;
    for (const session of Array.from(sessions.values())) {
      if (session.link === null && session.leftAt <= before) forget(session);
      else {
        const young = session.kept.findIndex(({ at }) => at > before);
        const old = young === -1 ? session.kept.length : young;
        drop(session, Math.min(old, Math.max(0, session.kept.length - keptLeast)));
      }
    }
    cancelSweep = clock.alarm(clock.now() + sweepMs, sweep);
  }
  function makeRoom(session: Session): void {
    let count = Math.max(0, session.kept.length - limits.replayFrames);
    let { bytes } = session;
    for (let next = 0; next < count; next += 1) bytes -= session.kept[next]?.text.length ?? 0;
    for (; bytes > limits.replayBytes && count < session.kept.length; count += 1) {
      bytes -= session.kept[count]?.text.length ?? 0;
    }
    drop(session, count);
    for (const other of sessions.values()) {
      if (bytesAll <= limits.replayBytesAll) return;
      drop(other, other.kept.length);
    }
  }

  function tell(session: Session, requestId: string | null, frame: OutFrame): void {
    const at = clock.now();
    session.lastId += 1;
    const told = { event_id: String(session.lastId), timestamp: new Date(at).toISOString(), session_id: session.id };
    const text = JSON.stringify({ ...told, request_id: requestId, ...frame });
    session.kept.push({ id: session.lastId, at, text });
    session.bytes += text.length;
    bytesAll += text.length;
    makeRoom(session);
    session.link?.send(text);
  }

  /** What followed a frame, if all of it is still there. */
  function replayOf({ kept, lastId }: Session, last: number): Kept[] | undefined {
    if (last > lastId) return undefined;
    const first = lastId - kept.length;
    return last < first ? undefined : kept.slice(last - first);
  }

  return {
    tell,
    get: (id: string): Session | undefined => sessions.get(id),
    open(id: string): { session: Session; isNew: boolean } {
      const known = sessions.get(id);
      if (known) return { session: known, isNew: false };
      if (sessions.size >= limits.sessions) {
        const [oldest] = [...sessions.values()].filter(({ link }) => link === null);
        if (!oldest) {
          const details = { limit: "sessions", max: limits.sessions };
          throw new TroupeError("RATE_LIMITED", `there are ${limits.sessions} sessions already`, details);
        }
        forget(oldest);
      }
      const session: Session = {
        id,
        lastId: 0,
        kept: [],
        bytes: 0,
        link: null,
        leftAt: clock.now(),
        requests: new Map(),
      };
      sessions.set(id, session);
      return { session, isNew: true };
    },
    /** Gives the session to a connection, and sends what it has missed; false if that is not known any more. */
    attach(session: Session, link: Link, last: number | null, isNew = false): boolean {
      session.link?.displaced();
      session.link = link;
      if (last === null) return true;
      if (isNew && last === 0) return false;
      // Of before a restart: the numbers go on from there, so that none of them ever means two frames.
      if (isNew && Number.isFinite(last)) session.lastId = last;
      const missed = isNew ? undefined : replayOf(session, last);
      if (missed) {
        for (const { text } of missed) link.send(text);
        return true;
      }
      const message = `what followed event ${last} is not known any more: here is how the runs of this session ended`;
      tell(session, null, errorFrame(new TroupeError("REPLAY_UNAVAILABLE", message, { last_event_id: String(last) })));
      return false;
    },
    leave(session: Session, link: Link): void {
      if (session.link !== link) return;
      session.link = null;
      session.leftAt = clock.now();
      // It is the youngest of those that were left.
      sessions.delete(session.id);
      sessions.set(session.id, session);
    },
    request(session: Session, id: string, content: string): Request {
      const request: Request = { ack: null, content, again: 0 };
      session.requests.set(id, request);
      if (session.requests.size > requestsMax) {
        for (const oldest of session.requests.keys()) {
          session.requests.delete(oldest);
          break;
        }
      }
      return request;
    },
    /** Its client reads more slowly than it is told. */
    isSlow: ({ link }: Session): boolean => link !== null && link.unsent() > limits.unsentTokenBytes,
    stats: () => ({ sessions: sessions.size, bytes: bytesAll }),
    close(): void {
      cancelSweep();
    },
  };
}
