// What a simulation plays: workflows, what handlers do, what a client does and when, and what goes wrong. Plain data.

import type { ConcurrencySpec, RateSpec, WorkflowSpec } from "../../language/spec.ts";
import type { Limits } from "../../actors/limits.ts";

/** What a handler does when it is called. */
export type Act =
  | { do: "answer" }
  /** Answers later; stops when it is told to. */
  | { do: "slow"; ms: number }
  /** Answers later, whatever it is told. */
  | { do: "deaf"; ms: number }
  /** Never answers, until everything else is over. */
  | { do: "hang" }
  /** Answers at once, and says what it used up. */
  | { do: "spend"; tokens: number; cost: number }
  /** Says a step every so often, so many times, and then answers. */
  | { do: "steps"; everyMs: number; times: number }
  | { do: "throw"; code: string | null; ms: number }
  /** Returns what no handler should, by number. */
  | { do: "garbage"; which: number }
  /** An agent that calls tools, one after the other; `bears` what they throw. */
  | { do: "call"; tools: string[]; bears: boolean };

/** A handler does one after the other, one a call, and begins anew after the last. */
export type Cast = { id: string; acts: Act[]; concurrency?: ConcurrencySpec; rate?: RateSpec };

/** What a client does at a time after the beginning. `of` is the number of an execution it began. */
export type Move = { at: number } & (
  | { do: "start"; workflow: string; key: string | null; n: number; labels: number }
  | { do: "execute"; agent: string }
  | { do: "execute"; tool: string }
  | { do: "execute"; task: string }
  | { do: "signal"; of: number; name: string; n: number }
  | { do: "pause"; of: number }
  | { do: "resume"; of: number }
  | { do: "cancel"; of: number }
  /** Gives a task of it what it waits for. */
  | { do: "approve"; of: number }
  /** Cancels a part of it. */
  | { do: "cancel part"; of: number; part: number }
  /** A command that was said is delivered once more. */
  | { do: "repeat"; of: number }
  /** Begins it once more at one of its tasks, with what it had found out before. */
  | { do: "fork"; of: number; task: number; isRetry: boolean }
  /** A webhook is called, perhaps with a signature that is none. */
  | { do: "deliver"; path: string; delivery: number; n: number; isSigned: boolean }
  /** Asks for everything there is, and for the history of one. */
  | { do: "look"; of: number }
  /** Subscribes, and never lets go. */
  | { do: "listen" }
  /** Adds a definition that is as large as may be in one way, or larger by one. */
  | { do: "define"; what: "tasks" | "branches" | "nesting"; isTooMuch: boolean }
);

export type Fault =
  /** The process dies at a time, or in its n-th append; so many units of the last group are left, so many torn. */
  | { do: "crash"; at?: number; append?: number; whole: number; torn: number; downMs: number }
  /** The process is stopped as it should be, and started again. */
  | { do: "stop"; at: number; graceMs: number; downMs: number }
  | { do: "slow disk"; at: number; forMs: number; commitMs: number }
  /** So many more units are written, then none for a while. */
  | { do: "full disk" | "broken disk"; at: number; units: number; forMs: number }
  | { do: "clock jump"; at: number; ms: number };

/** An agent runtime in another process: what it does with its orders, one after the other, and when it goes away. */
export type Foreigner = {
  id: string;
  agents: string[];
  max: number;
  acts: ForeignAct[];
  /** It falls silent at a time: no beat, no word, nothing heard. */
  diesAt: number | null;
  /** It beats so late that its lease may run out. */
  beatMs: number;
};

export type ForeignAct =
  | "answers"
  | "answers late"
  | "fails"
  | "refuses"
  | "dies before started"
  | "dies after started"
  | "dies before its reply"
  | "hangs"
  | "answers twice"
  | "answers after cancel"
  | "sends wrong bytes";

/** What a transport does to each delivery, as probabilities; and while it is cut nothing arrives. */
export type Weather = {
  drop: number;
  double: number;
  delay: number;
  delayMs: number;
  cuts: { at: number; forMs: number }[];
};

export type Scenario = {
  seed: number;
  workflows: WorkflowSpec[];
  agents: Cast[];
  tools: Cast[];
  moves: Move[];
  faults: Fault[];
  foreigners: Foreigner[];
  weather: Weather;
  /** Whether what the components of the process tell each other goes over the transport too. */
  wire: boolean;
  limits: Partial<Limits>;
  /** How long a commit takes at most while all is well. */
  commitMs: number;
  /** When faults and clients stop. */
  calmAt: number;
};
