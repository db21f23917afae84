// Agents and tools as a test writes them: what calls of one come to, and nothing that one run leaves to the next.
//
//   mock("bank").fails("DOWN").onAttempt(1).returns({ paid: true }).after("2s")
//
// Of the answers that are given the first that fits a call and is not used up is its answer.
//
// Invariants:
//   M1. A mock is never changed: whatever is said of it gives another one.

import type { AgentContext, AgentDefinition } from "../../agents/agent.ts";
import { durationOf } from "../../language/duration.ts";
import type { Schema } from "../../language/json-schema.ts";
import type { Duration } from "../../language/spec.ts";
import type { Filled, Given } from "../../language/typed.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { ToolDefinition } from "../../tools/tool.ts";

/** What a function that answers is given: that of a real handler. Only agents call tools, think and use things up. */
export type MockContext = AgentContext;
type Make = (input: unknown, context: MockContext) => unknown;

export type Answer = (
  | { does: "makes"; make: Make }
  | { does: "fails"; code: string; message: string }
  | { does: "hangs" }
) & {
  /** For so many calls. */
  times: number;
  afterMs: number;
  attempt?: number;
  fits?: (input: never) => boolean;
};

/** Without its handler: what it may be given, what it may answer, its limits. */
type Callee = { readonly id: string } & Omit<AgentDefinition | ToolDefinition, "id" | "kind" | "handler" | "module">;

/** A mock, whatever it takes and gives. */
export interface AnyMock {
  readonly id: string;
  readonly definition: Callee;
  readonly script: readonly Answer[];
}

/** `once`, `times`, `onAttempt`, `when` and `after` say more of the answer that was given last. */
export interface Mock<Input = unknown, Output = unknown> extends AnyMock {
  /** Answers this. */
  returns(output: Output): Mock<Input, Output>;
  /** Answers what the function gives or promises, or fails with what it throws. */
  answers(make: (input: Input, context: MockContext) => Output | PromiseLike<Output>): Mock<Input, Output>;
  /** Fails with this code, which retries and `on_error` may name. */
  fails(code: string, message?: string): Mock<Input, Output>;
  /** Never answers, and ends only when it is told to stop. */
  hangs(): Mock<Input, Output>;
  /** The answer is good for one call. */
  once(): Mock<Input, Output>;
  /** The answer is good for so many calls. */
  times(count: number): Mock<Input, Output>;
  /** The answer is good for this attempt of a task, counted from 1. */
  onAttempt(attempt: number): Mock<Input, Output>;
  /** The answer is good for inputs of which this is true. */
  when(fits: (input: Input) => boolean): Mock<Input, Output>;
  /** The answer comes after so long, in virtual time. */
  after(duration: Duration): Mock<Input, Output>;
}

/** Of an agent or tool by its id; by its definition the answers are typed, and held against its schemas. */
export function mock<In extends Schema = true, Out extends Schema = true>(
  callee: string | AgentDefinition<In, Out> | ToolDefinition<In, Out>,
): Mock<Filled<In>, Given<Out>> {
  if (typeof callee === "string") return mockOf({ id: callee }, []) as Mock<Filled<In>, Given<Out>>;
  const { kind: _kind, handler: _handler, module: _module, ...definition } = callee as AgentDefinition;
  return mockOf(definition, []) as Mock<Filled<In>, Given<Out>>;
}

export const isMock = (given: object): given is AnyMock => "script" in given && "definition" in given;

function mockOf(definition: Callee, script: readonly Answer[]): Mock {
  const { id } = definition;
  const plus = (answer: DistributiveOmit<Answer, "times" | "afterMs">): Mock =>
    mockOf(definition, [...script, { ...answer, times: Infinity, afterMs: 0 } as Answer]);
  const change = (what: string, more: Partial<Pick<Answer, "times" | "afterMs" | "attempt" | "fits">>): Mock => {
    const last = script.at(-1);
    if (!last) throw refused(id, `${what} says something of an answer, and none is given before it`);
    return mockOf(definition, [...script.slice(0, -1), { ...last, ...more }]);
  };
  return Object.freeze({
    id,
    definition,
    script,
    returns: (output: unknown) => plus({ does: "makes", make: () => structuredClone(output) }),
    answers: (make: Make) => plus({ does: "makes", make }),
    fails: (code: string, message = `mock '${id}' fails`) => plus({ does: "fails", code, message }),
    hangs: () => plus({ does: "hangs" }),
    once: () => change("once()", { times: 1 }),
    times: (count: number) => change("times()", { times: counted(id, "times", count) }),
    onAttempt: (attempt: number) => change("onAttempt()", { attempt: counted(id, "onAttempt", attempt) }),
    when: (fits: (input: never) => boolean) => change("when()", { fits }),
    after: (duration: Duration) => change("after()", { afterMs: msOf(id, duration) }),
  });
}
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

function counted(id: string, what: string, count: number): number {
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw refused(id, `${what}(${String(count)}) must be a whole number, 1 or more`);
}
const msOf = (id: string, duration: Duration): number =>
  durationOf(duration, "after", (field, message) => {
    throw refused(id, `${field}: ${message}`);
  });

const refused = (id: string, why: string): TroupeError => new TroupeError("VALIDATION_FAILED", `mock '${id}': ${why}`);

/** Chooses answers for the calls of one mock in one simulation. */
export function newScript({ id, script }: AnyMock): (input: unknown, attempt: number) => Answer {
  const left = script.map(({ times }) => times);
  let count = 0;
  return (input, attempt) => {
    count += 1;
    const place = script.findIndex(
      (one, index) =>
        (left[index] ?? 0) > 0 &&
        (one.attempt === undefined || one.attempt === attempt) &&
        (one.fits === undefined || one.fits(input as never)),
    );
    const answer = script[place];
    if (!answer) {
      throw refused(
        id,
        `no answer for call ${count} (attempt ${attempt}) with ${JSON.stringify(input)}: give one more`,
      );
    }
    left[place] = (left[place] ?? 0) - 1;
    return answer;
  };
}
