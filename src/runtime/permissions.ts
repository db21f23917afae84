// What each role, and each runtime elsewhere, needs to be allowed on a NATS server: from the catalogue, and from what
// components listen to.
//
// Invariants:
//   RP1. A role may say what the catalogue has it say, hear what its component hears, and nothing else of the protocol.
//   RP2. A runtime elsewhere may say what is its own and hear what is for it; no order, answer or inbox of another.

import { catalogue, entryOf, type Key, keys, kindOf } from "../protocol/catalogue.ts";
import type { Component as Code } from "../protocol/entry.ts";
import { TroupeError } from "../protocol/errors.ts";
import { isExecId } from "../protocol/ids.ts";
import type { Layout } from "../protocol/layouts.ts";
import { nearest } from "../protocol/nearest.ts";
import { type SubjectCodec, subjectCodec } from "../protocol/subjects.ts";
import { subscriptionsOf } from "../actors/subscriptions.ts";
import {
  consumerSubjects,
  type Hearing,
  keeperSubjects,
  leaseSubjects,
  objectSubjects,
  type Permissions,
} from "../transport/nats-permissions.ts";
import { streamsOf } from "../transport/nats-streams.ts";
import { components, orchestratorRole } from "./roles.ts";

export type Namespace = { prefix: string; layout: Layout };

const monitoring = "monitoring";
const agentRuntime = "agent-runtime";
const inboxes = "_INBOX.>";
/** Standard tools ask there who is there. */
const discovery = "$SRV.>";
/** A client's own inbox may be in two parts or three. */
const anyInbox = ["*.*", "*.*.*"];

/** Roles that are users of their own: the others live with the orchestrator, or need no NATS. */
export const permittedRoles: readonly string[] = [...components.map(({ role }) => role), monitoring];

export function permissionsOfRole(role: string, { prefix, layout }: Namespace): Permissions {
  if (!permittedRoles.includes(role)) throw unknown(role);
  const subjects = subjectCodec({ prefix, layout });
  const isOrchestrator = role === orchestratorRole;
  const streams = streamsOf(prefix, layout);
  const hearings = role === monitoring ? monitored(subjects) : heardBy(role, subjects);
  const codes = codesOf(role);
  return {
    publish: [
      ...keys.filter((key) => isSaidBy(key, codes)).map((key) => patternOf(subjects, key)),
      inboxes,
      ...consumerSubjects(streams, hearings),
      ...(isOrchestrator ? [...keeperSubjects(streams), ...leaseSubjects(prefix)] : []),
      ...objectSubjects(`${prefix}_OBJECTS`, isOrchestrator),
    ],
    subscribe: [
      ...hearings.map(({ pattern }) => pattern),
      inboxes,
      discovery,
      // The one of a runtime has the name of the runtime, which is another at each start.
      ...(role === agentRuntime ? anyInbox : []),
    ],
  };
}

/** The orchestrator speaks for whoever asks it over HTTP, by a socket, or by the clock, and answers what it records. */
function codesOf(role: string): readonly Code[] {
  if (role === orchestratorRole) return ["WO", "API", "GW", "SC", "SM"];
  if (role === monitoring) return ["MON"];
  return components.filter((one) => one.role === role).map(({ code }) => code);
}

const isSaidBy = (key: Key, codes: readonly Code[]): boolean =>
  entryOf(key).by.some((by) => by === "any" || (codes as readonly string[]).includes(by));

/** Ids stand for those that a process mints: what is said of them matters, and not their value. */
const someId = "00000000-0000-7000-8000-000000000000";

function heardBy(role: string, subjects: SubjectCodec): Hearing[] {
  const here = components.filter((one) => one.role === role);
  return subscriptionsOf(here, subjects, someId).flatMap(({ pattern, group, takes }) => {
    if (pattern.startsWith("_INBOX")) return [];
    const isPassing = !keys.some((key) => entryOf(key).delivery === "stored" && takes(key));
    return [{ pattern: pattern.replaceAll(someId, "*"), group, isPassing }];
  });
}

const monitored = (subjects: SubjectCodec): Hearing[] => [
  ...(["logs", "rejected"] as const).map((whole) => ({
    pattern: subjects.patternOf({ whole }),
    group: monitoring,
    isPassing: false,
  })),
  { pattern: subjects.patternOf({ whole: "events" }), isPassing: false },
];

type Params = Readonly<Record<string, string>>;
const patternOf = (subjects: SubjectCodec, key: Key, given: Params = {}): string => {
  const known = Object.entries(given).filter(([name]) => catalogue[key].subject.includes(`<${name}>`));
  return subjects.patternOf({ key, params: Object.fromEntries(known) } as Parameters<SubjectCodec["patternOf"]>[0]);
};

/** Of agents, and of tools if it serves them; without an id, of any runtime: then those do not hide from each other. */
export function permissionsOfRuntime(id: string | null, { prefix, layout }: Namespace, hasTools: boolean): Permissions {
  if (id !== null && !isExecId(id)) {
    throw new TroupeError("VALIDATION_FAILED", `'${id}' is no id of a runtime: a lower-case hyphenated UUID`, { id });
  }
  const subjects = subjectCodec({ prefix, layout });
  const own: Params = {
    component: "agent_runtime",
    ...(id !== null && { rt: id }),
  };
  const said = keys.filter((key) => isSaidBy(key, ["AR"]) && kindOf(key) !== "result");
  const orders =
    id === null
      ? [subjects.patternOf({ whole: "commands", entity: "agent_runtime" })]
      : [subjects.patternOf({ whole: "commands", entity: "agent_runtime", runtimeId: id })];
  return {
    publish: [
      ...said.map((key) => patternOf(subjects, key, own)),
      subjects.patternOf({ kind: "result", entity: "agent" }),
      ...(hasTools ? toolsSaid(subjects) : []),
    ],
    subscribe: [
      ...orders,
      patternOf(subjects, "event:AgentRuntimeDeregistered", own),
      ...(hasTools ? [subjects.patternOf({ whole: "commands", entity: "tool" })] : []),
      ...(id === null ? anyInbox : [`_INBOX_${id}.>`]),
      discovery,
    ],
    ...(id === null && {
      notSubscribe: [inboxes, "$JS.>", "$KV.>", "$O.>", "$SYS.>", subjects.patternOf({ whole: "rejected" })],
    }),
  };
}

const toolsSaid = (subjects: SubjectCodec): string[] => [
  ...keys.filter((key) => isSaidBy(key, ["XE"]) && kindOf(key) !== "log").map((key) => patternOf(subjects, key)),
  ...(["log:LogEmitted"] as const).map((key) => patternOf(subjects, key, { component: "tool_executor" })),
];

function unknown(role: string): TroupeError {
  const meant = nearest(role, permittedRoles);
  const hint = meant === undefined ? "" : ` (did you mean '${meant}'?)`;
  const message = `'${role}' is no role with permissions of its own${hint}: there are ${permittedRoles.join(", ")}`;
  return new TroupeError("VALIDATION_FAILED", message, { role });
}
