// The log of the daemon: a line of JSON for everything worth one, on stderr, and the newest of them for whoever asks.
//
//   log(level, message, fields) ─▶ pino ─▶ scrubbed ─┬▶ stderr: JSON, or for a person a line to read
//                                                    └▶ the newest lines, in memory
//
// Invariants:
//   LG1. So many lines and bytes are kept in memory, and no more; the oldest go first.
//   LG2. A line that is about an execution says which, and which trace it belongs to, if there is one.
//   LG3. No secret that is known stands in a line, wherever it came from.

import { randomUUID } from "node:crypto";
import { pino } from "pino";
import type { LogLine, LogQuery } from "../gateway/door.ts";
import { TroupeError } from "../protocol/errors.ts";
import { isObject } from "../protocol/json.ts";
import type { Level, Report } from "../protocol/report.ts";
import { pretty } from "./pretty.ts";
import { type LogLevel, logLevels } from "./settings.ts";

export type Log = ReturnType<typeof openLog>;

type Means = {
  level: LogLevel;
  /** For a person, and not for a machine. */
  isPretty: boolean;
  write: (text: string) => void;
  /** Takes out what nobody may read. */
  scrub?: (line: string) => string;
  linesMax?: number;
  bytesMax?: number;
};

type Kept = { number: number; text: string };

export function openLog({ level, isPretty, write, scrub, linesMax = 1_000, bytesMax = 4_194_304 }: Means) {
  const kept: Kept[] = [];
  let bytes = 0;
  let count = 0;
  let traceIdOf: (run: string) => string | undefined = () => undefined;

  function keep(text: string): void {
    count += 1;
    bytes += text.length;
    kept.push({ number: count, text });
    while (kept.length > linesMax || (bytes > bytesMax && kept.length > 0)) bytes -= kept.shift()?.text.length ?? 0;
  }

  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      mixin: () => ({ message_id: randomUUID() }),
    },
    {
      write(line: string): void {
        const text = scrub ? scrub(line) : line;
        keep(text);
        write(isPretty ? pretty(JSON.parse(text) as Record<string, unknown>) : text);
      },
    },
  );

  /** What is about a run is found by its execution, and by its trace. */
  function whole(fields: Readonly<Record<string, unknown>>): object {
    const { run, exec_id: own = run, trace_id: trace } = fields;
    if (typeof own !== "string" || own === "") return fields;
    const traceId = trace ?? traceIdOf(typeof run === "string" ? run : own);
    return { exec_id: own, ...(traceId !== undefined && { trace_id: traceId }), ...fields };
  }

  function setLevel(to: string): void {
    if (!logLevels.includes(to as LogLevel)) {
      throw new TroupeError(
        "VALIDATION_FAILED",
        `'${to}' is no level of the log: it is one of ${logLevels.join(", ")}`,
      );
    }
    logger.level = to;
  }

  return {
    report: ((at, message, fields) => logger[at](whole(fields), message)) as Report<Level | "fatal">,
    isWorth: (at: "debug" | "info"): boolean => logger.isLevelEnabled(at),
    level: (): string => logger.level,
    setLevel,
    /** From now on a run is known by its trace, too. */
    knowTraces(of: typeof traceIdOf): void {
      traceIdOf = of;
    },
    lines({ limit, level: least = "trace", execId, workflow, after }: LogQuery) {
      const before = after === undefined ? Infinity : Number(after);
      if (Number.isNaN(before)) throw new TroupeError("VALIDATION_FAILED", "the cursor is none of the log's");
      const most = logLevels.indexOf(least as LogLevel);
      const items: LogLine[] = [];
      let last: number | null = null;
      for (let at = kept.length - 1; at >= 0; at--) {
        const { number, text } = kept[at] as Kept;
        if (number >= before) continue;
        const line = lineOf(text);
        const { log_level, exec_id, context } = line;
        if (logLevels.indexOf(log_level as LogLevel) > most) continue;
        if (execId !== undefined && exec_id !== execId && context["run"] !== execId) continue;
        if (workflow !== undefined && context["workflow"] !== workflow) continue;
        // There is one more than fits.
        if (items.length === limit) return { items, nextCursor: String(last) };
        items.push(line);
        last = number;
      }
      return { items, nextCursor: null };
    },
    line(messageId: string): LogLine | undefined {
      return kept.map(({ text }) => lineOf(text)).find(({ message_id }) => message_id === messageId);
    },
  };
}

function lineOf(text: string): LogLine {
  const parsed = JSON.parse(text) as Record<string, unknown>;
  const { level, time, msg, message_id, exec_id = null, trace_id = null, ...context } = parsed;
  return {
    message_id: String(message_id),
    log_level: String(level),
    message: typeof msg === "string" ? msg : "",
    timestamp: String(time),
    exec_id: exec_id as string | null,
    trace_id: trace_id as string | null,
    context: isObject(context) ? context : {},
  };
}
