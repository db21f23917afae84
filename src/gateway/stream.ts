// Server-sent events: the journal as it grows, each message with its number, so that nobody misses or doubles one.
//
//   journal ─▶ page of lines ─▶ those that are wanted ─▶ text ─▶ whoever reads        read on only when that is taken
//     └─ at its end: a commit, news of handlers, or a beat of silence wake it
//
// Invariants:
//   SS1. Every message that is wanted is given once and in order, with its number in the journal.
//   SS2. Whoever comes back with the last number seen gets what followed it, also after a restart.
//   SS3. A reader that is slow costs one page of the journal and a bounded number of news; news may be left out. One
//        that has stopped reading is ended, and can come back and go on.
//   SS4. A stream that has nothing to say is heard of now and then, and ends when the gateway does.
//   SS5. There are so many streams at once and no more; however many there are, others are answered between two pages.

import { Readable } from "node:stream";
import { catalogue, isKey } from "../protocol/catalogue.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { nearest } from "../protocol/nearest.ts";
import { clip } from "../protocol/refusal.ts";
import { type GuardLimits, withGuardLimits } from "./guard-limits.ts";
import type { News, Troupe } from "../runtime/troupe.ts";

export type StreamQuery = {
  /** One execution, from its beginning; else all of them, from now on. */
  execId?: string | undefined;
  entity?: string | undefined;
  /** A name, or a kind and a name. */
  type?: string | undefined;
  correlationId?: string | undefined;
  /** The last number that was seen. */
  lastEventId?: string | undefined;
  /** Whether who reads may still do so: looked at whenever there is something to say, and now and then. */
  isWelcome?: (() => boolean) | undefined;
  /** News of handlers too, which have no number and are not kept. */
  progress?: boolean | undefined;
};

type Reader = Parameters<Troupe["system"]["subscribe"]>[0];
type Wants = (line: Line) => boolean;
type Page = { pieces: Buffer[]; nextLine: number; isEnd: boolean; isLarge: boolean };
type Line = Awaited<ReturnType<Troupe["journal"]>>["lines"][number];

const newsMax = 256;
const textBytes = 65_536;
/** Of what was read of the journal, so much is kept for a reader; the rest is read again when that is taken. */
const pageChars = 4 * textBytes;

type Limits = Pick<GuardLimits, "streams" | "streamStalledMs">;
type Means = { troupe: Troupe; heartbeatMs?: number; limits?: Partial<Limits> | undefined };

export type Streams = ReturnType<typeof openStreams>;

export function openStreams({ troupe, heartbeatMs = 15_000, limits: given }: Means) {
  const { clock } = troupe;
  const limits = withGuardLimits(given);
  const open = new Set<() => void>();
  /** Whoever waits for a commit: the engine is listened to only while somebody does. */
  const readers = new Set<Reader>();
  let off: (() => void) | undefined;
  let isClosed = false;
  let turn: Promise<void> = Promise.resolve();

  function listen(reader: Reader): () => void {
    readers.add(reader);
    off ??= troupe.system.subscribe((committed) => {
      for (const hear of readers) hear(committed);
    });
    return () => {
      readers.delete(reader);
      if (readers.size > 0) return;
      off?.();
      off = undefined;
    };
  }

  function firstLineOf({ execId, lastEventId }: StreamQuery): number {
    const next = troupe.stats().line + 1;
    if (lastEventId === undefined || lastEventId === "") return execId === undefined ? next : 0;
    if (!/^\d{1,15}$/.test(lastEventId)) {
      const errors = [{ field: "last_event_id", message: "must be the number of an event" }];
      throw new TroupeError("VALIDATION_FAILED", `'${clip(lastEventId)}' is no number of an event`, { errors });
    }
    // What was never numbered here is of another journal: there is nothing to go on from.
    return Math.min(Number(lastEventId) + 1, next);
  }

  /** One reader after the other; after a large page the process is let at its other work first. */
  function inTurn(read: () => Promise<Page>): Promise<Page> {
    const page = turn.then(read);
    turn = page.then(
      ({ isLarge }) => (isLarge ? new Promise((rested) => void clock.alarm(clock.now(), rested)) : undefined),
      () => undefined,
    );
    return page;
  }

  async function pageOf(execId: string | undefined, fromLine: number, isWanted: Wants): Promise<Page> {
    const { lines, nextLine, isEnd } = await troupe.journal({ ...(execId !== undefined && { execId }), fromLine });
    const texts: string[] = [];
    let chars = 0;
    for (const [at, line] of lines.entries()) {
      if (!isWanted(line)) continue;
      const text = textOf(line);
      texts.push(text);
      chars += text.length;
      const next = lines[at + 1];
      if (chars >= pageChars && next) {
        return { pieces: piecesOf(texts), nextLine: next.line, isEnd: false, isLarge: true };
      }
    }
    return { pieces: piecesOf(texts), nextLine, isEnd, isLarge: chars >= textBytes };
  }

  async function* piecesFor(query: StreamQuery, first: number, bell: Bell): AsyncGenerator<string | Buffer> {
    const isWanted = wantedBy(query);
    yield `retry: 1000\n\n`;
    for (let fromLine = first; !bell.isOver() && query.isWelcome?.() !== false;) {
      bell.clear();
      const from = fromLine;
      const { pieces, nextLine, isEnd } = await inTurn(() => pageOf(query.execId, from, isWanted));
      fromLine = Math.max(fromLine, nextLine);
      yield* pieces;
      yield* piecesOf(bell.news());
      if (!isEnd) continue;
      if (!(await bell.rung())) yield ": alive\n\n";
    }
  }

  return {
    /** As it goes over the wire. What cannot be asked for is thrown here, before anything was said. */
    events(query: StreamQuery): Readable {
      if (query.execId !== undefined) troupe.get(query.execId);
      checkType(query.type);
      const first = firstLineOf(query);
      const bell = newBell(clock, heartbeatMs);
      if (open.size >= limits.streams) {
        const message = `there are ${limits.streams} streams already; try again when one has ended, or raise 'streams'`;
        throw new TroupeError("RATE_LIMITED", message, { limit: limits.streams });
      }
      const isWanted = newsWantedBy(query);
      const post = (news: Pick<News, "run" | "word">): void => void (isWanted(news) && bell.post(textOfNews(news)));
      const hear: Reader = ({ run, said }) => {
        // What charts say of progress is of no record, either.
        for (const { word, fleeting } of query.progress === true ? said : []) if (fleeting) post({ run, word });
        bell.ring();
      };
      const ends = [listen(hear), () => void open.delete(end)];
      if (query.progress === true) ends.push(troupe.onNews(post));
      const end = (): void => {
        bell.end();
        for (const one of ends.splice(0)) one();
      };
      open.add(end);
      if (isClosed) end();
      return readableOf(piecesFor(query, first, bell), end, (act) =>
        clock.alarm(clock.now() + limits.streamStalledMs, act),
      );
    },
    stats: () => ({ streams: open.size }),
    close(): void {
      isClosed = true;
      for (const end of Array.from(open)) end();
    },
  };
}

// ── waiting ──

type Bell = ReturnType<typeof newBell>;

/** Wakes a stream that waits: something was committed, there are news, or it is time for a sign of life. */
function newBell(clock: Troupe["clock"], heartbeatMs: number) {
  let isRung = false;
  let isOver = false;
  let news: string[] = [];
  let chars = 0;
  let wake: (() => void) | undefined;
  const ring = (): void => {
    isRung = true;
    wake?.();
  };
  return {
    ring,
    clear: (): void => void (isRung = false),
    isOver: (): boolean => isOver,
    end(): void {
      isOver = true;
      ring();
    },
    post(text: string): void {
      if (news.length < newsMax && chars < pageChars) {
        news.push(text);
        chars += text.length;
      }
      ring();
    },
    news: (): string[] => {
      const all = news;
      news = [];
      chars = 0;
      return all;
    },
    /** Waits; false if nothing happened for a while. */
    rung(): Promise<boolean> {
      if (isRung) return Promise.resolve(true);
      return new Promise((resolve) => {
        const cancel = clock.alarm(clock.now() + heartbeatMs, () => wake?.());
        wake = () => {
          wake = undefined;
          cancel();
          resolve(isRung);
        };
      });
    },
  };
}

// ── what is wanted, and how it is said ──

type Named = { type: string; entity: string | null; correlationId: string | undefined };

/** Whether what is said passes the filters. */
const passes =
  ({ entity, type, correlationId }: StreamQuery) =>
  (said: Named): boolean =>
    (entity === undefined || said.entity === entity) &&
    (type === undefined || said.type === type || nameOf(said.type) === type) &&
    (correlationId === undefined || said.correlationId === correlationId);

/** A name that no message has would wait for ever. */
function checkType(type: string | undefined): void {
  const known = Object.keys(catalogue).flatMap((key) => [nameOf(key), key]);
  if (type === undefined || known.includes(type)) return;
  const meant = nearest(type, known);
  const hint = meant === undefined ? "GET /api/message-types lists them" : `did you mean '${meant}'?`;
  const errors = [{ field: "type", message: `is no type of message; ${hint}` }];
  throw new TroupeError("VALIDATION_FAILED", `'${clip(type)}' is no type of message; ${hint}`, { errors });
}

const nameOf = (key: string): string => key.slice(key.indexOf(":") + 1);

/** The entity that a message is about; an acknowledgment is about that of its command. */
function entityOf(key: string, sections: Readonly<Record<string, unknown>>): string | null {
  const known = isKey(key) ? catalogue[key].entity : null;
  return known ?? ["agent_runtime", "task", "workflow", "agent"].find((one) => sections[one] !== undefined) ?? null;
}

function wantedBy(query: StreamQuery): Wants {
  const passing = passes(query);
  return ({ type, envelope }) =>
    passing({ type, entity: entityOf(type, envelope), correlationId: envelope.metadata["correlation_id"] });
}

function newsWantedBy(query: StreamQuery): (news: Pick<News, "run" | "word">) => boolean {
  const passing = passes({ ...query, correlationId: undefined });
  const { execId } = query;
  return ({ run, word }) =>
    (execId === undefined ||
      run === execId ||
      [word.task, word.agent, word.tool].some((one) => one?.exec_id === execId)) &&
    passing({ type: word.type, entity: entityOf(word.type, word), correlationId: undefined });
}

const textOf = ({ line, type, envelope }: Line): string =>
  `id: ${line}\nevent: ${nameOf(type)}\ndata: ${JSON.stringify(envelope)}\n\n`;

function textOfNews({ word }: Pick<News, "word">): string {
  const { type, to: _to, ...content } = word;
  const metadata = { message_type: nameOf(type) };
  return `event: ${nameOf(type)}\ndata: ${JSON.stringify({ metadata, ...content })}\n\n`;
}

type Stalled = (act: () => void) => () => void;

/**
 * Pulled from only when there is room; `end` is called as soon as whoever reads has gone, also while nothing comes. If
 * nothing is taken until `stalled` acts, it is over.
 */
function readableOf(pieces: AsyncGenerator<string | Buffer>, end: () => void, stalled: Stalled): Readable {
  let isPulling = false;
  let isTaken = (): void => undefined;
  async function pull(): Promise<void> {
    isPulling = true;
    for (let hasRoom = true; hasRoom;) {
      const { value, done } = await pieces.next();
      if (readable.destroyed) break;
      hasRoom = readable.push(done === true ? null : value) && done !== true;
    }
    if (!readable.destroyed && !readable.readableEnded) isTaken = stalled(() => readable.destroy());
    isPulling = false;
  }
  const readable = new Readable({
    highWaterMark: textBytes,
    read(): void {
      isTaken();
      if (!isPulling) pull().catch((error: unknown) => readable.destroy(fromUnknown(error)));
    },
    destroy(error, done): void {
      isTaken();
      end();
      done(error);
    },
  });
  return readable;
}

/** As many at once as fit into one piece; as bytes, which are the same ones all the way to the socket. */
function piecesOf(texts: readonly string[]): Buffer[] {
  const pieces: Buffer[] = [];
  let piece = "";
  for (const text of texts) {
    if (piece !== "" && piece.length + text.length > textBytes) {
      pieces.push(Buffer.from(piece));
      piece = "";
    }
    piece += text;
  }
  if (piece !== "") pieces.push(Buffer.from(piece));
  return pieces;
}
