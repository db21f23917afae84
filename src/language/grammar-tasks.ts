// Every key of a task, by its type.

import { block, choice, codes, count, duration, flag, id, type Key, type Keys, type Kind, list } from "./kinds.ts";
import { name, object, period, template, value } from "./kinds.ts";

export const retry = object({
  max_attempts: {
    kind: { is: "number", least: 1, most: 100, whole: true },
    default: 1,
    says: "How often it is tried, the first time included.",
  },
  backoff: {
    kind: object({
      initial: { kind: duration, default: "1s", says: "The delay before the second attempt." },
      factor: { kind: { is: "number", least: 1 }, default: 2, says: "What each delay is multiplied by for the next." },
      max: { kind: duration, default: "1m", says: "No delay is longer." },
      jitter: { kind: { is: "number", least: 0, most: 1 }, default: 0, says: "How far a delay is spread, as a part." },
    }),
    says: "The delays between attempts.",
  },
  retry_on: { kind: codes, says: "Codes that are tried again; without it, those marked as retryable." },
  never_on: { kind: codes, says: "Codes that are never tried again; wins over `retry_on`." },
});

const strategy: Key = {
  kind: choice("all", "fail_fast", "best_effort", "race"),
  default: "all",
  says: "What is waited for, and what happens when one fails.",
};
const widest: Key = { kind: count, says: "How many run at once; 1 means one after the other. Without it, all." };
const oneByOne: Key = { kind: count, default: 1, says: "How many run at once; 1 means one after the other, in order." };

const retried = ["agent", "tool", "workflow", "parallel", "each", "signal"];
const taskKeys: Keys = {
  id: { kind: id, required: true, says: "Its name, unique in the workflow." },
  with: { kind: value, default: {}, says: "The input of the task; its texts may hold `${{ … }}`." },
  next: {
    kind: id,
    only: ["agent", "tool", "workflow", "parallel", "each", "wait", "signal"],
    says: "The task of this block that follows success. Without it, the block ends here.",
  },
  on_error: {
    kind: {
      is: "one",
      of: [
        { when: "text", kind: id },
        {
          when: "list",
          kind: list(
            object({
              codes: { kind: codes, says: "Which errors, by `code` or `cause_code`; any without it." },
              next: { kind: id, required: true, says: "The task of this block that follows." },
            }),
            1,
          ),
        },
      ],
    },
    says: "The task of this block that follows failure: its id, or a list of `{codes, next}` of which the first wins.",
  },
  timeout: { kind: period, says: "The longest one attempt may take; of a wait, the longest it may last." },
  total_timeout: {
    kind: period,
    only: retried,
    says: "The longest that all attempts, and the time between them, may take.",
  },
  retry: { kind: retry, only: retried, says: "Whether and when it is tried again. Without it, one attempt." },
  start_timeout: { kind: period, default: "60s", says: "The longest it may wait for an executor." },
  heartbeat: { kind: period, only: ["agent", "tool"], says: "The longest its executor may be silent." },
  pause_before: { kind: name, says: "A reason: the workflow pauses before this task until it is resumed." },
  undo: {
    kind: block,
    only: ["agent", "tool", "workflow", "signal"],
    says: "Tasks that run if the workflow fails, times out or is canceled after this task succeeded.",
  },
};

const wait: Kind = {
  is: "one",
  of: [
    {
      when: ["signal", "match"],
      kind: object({
        signal: { kind: name, required: true, says: "The name of the signal that is waited for." },
        match: { kind: { is: "value", gives: "boolean" }, says: "A condition on `signal.payload`." },
      }),
    },
    {
      when: ["approval"],
      kind: object({ approval: { kind: name, required: true, says: "The question to whoever approves." } }),
    },
    {
      when: ["duration"],
      kind: object({ duration: { kind: duration, required: true, says: "How long to wait." } }),
    },
    {
      when: ["until"],
      kind: object({ until: { kind: value, required: true, says: "A time: ISO 8601, or epoch milliseconds." } }),
    },
  ],
};

export const taskKinds: Readonly<Record<string, Keys>> = {
  agent: {
    agent: { kind: id, required: true, says: "The agent that does it." },
    action: { kind: name, says: "Which of the agent's `actions`." },
  },
  tool: { tool: { kind: id, required: true, says: "The tool that does it." } },
  workflow: {
    workflow: { kind: id, required: true, says: "The workflow that is run, with `with` as its input." },
    detached: {
      kind: flag,
      default: false,
      says: "Whether it runs on by itself: the task succeeds at once with its `exec_id`.",
    },
  },
  parallel: {
    branches: {
      kind: { is: "map", of: block, names: "name", least: 1 },
      required: true,
      says: "Blocks that run side by side, by name.",
    },
    strategy,
    max_concurrency: widest,
  },
  each: {
    items: { kind: { is: "value", gives: "list" }, required: true, says: "The list: `do` runs once for each element." },
    do: { kind: block, required: true, says: "The block that is run; it sees `item` and `index`." },
    strategy,
    max_concurrency: oneByOne,
  },
  route: {
    cases: {
      kind: list(
        object({
          when: { kind: { is: "value", gives: "boolean" }, required: true, says: "A condition, `${{ … }}`." },
          next: { kind: id, required: true, says: "The task of this block that follows if it is true." },
        }),
        1,
      ),
      required: true,
      says: "Conditions in order; the first that is true wins.",
    },
    default: { kind: id, says: "The task that follows if no condition is true. Without it, NO_ROUTE." },
  },
  wait: { wait: { kind: wait, required: true, says: "What is waited for: a signal, an approval, a time." } },
  signal: {
    signal: { kind: name, required: true, says: "The name of the signal that is sent, with `with` as its payload." },
    to: { kind: template, says: "The execution it is sent to. Without it, this one." },
  },
};

export const task: Extract<Kind, { is: "tagged" }> = {
  is: "tagged",
  thing: "task",
  by: "type",
  keys: taskKeys,
  each: taskKinds,
};
