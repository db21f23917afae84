// Holds what an outsider saw of a house on NATS against what must hold, however much was lost on the way.
//
//   words heard on the wire + what clients were told + what handlers did ─▶ findings
//
// Invariants judged: every accepted execution ends (I1) and once (I2); nothing is begun for what has ended (I3); what
// was told to a client stays so (I6); the same message twice is one, and has one effect (I10); whoever asked was
// answered (I12).

import { isTerminal } from "../../src/protocol/statuses.ts";

/** A message of the protocol as it was on the wire. */
export type Heard = { subject: string; text: string };
/** What a client asked for, and was told. */
export type Asked = { execId: string; status: string | null };
/** A handler that began, with what names the call. */
export type Begun = { key: string };

export type Evidence = {
  heard: readonly Heard[];
  asked: readonly Asked[];
  begun: readonly Begun[];
  /** How each execution stands now; undefined if it is not known. */
  statusOf: (execId: string) => string | undefined;
};

type Body = {
  metadata?: { message_id?: string; event_timestamp?: string };
  payload?: { status?: string; context?: { attempt?: number } };
} & Partial<Record<string, { exec_id?: string }>>;
type Told = {
  id: string;
  entity: string;
  event: string;
  execId: string;
  /** The workflow execution that it is a part of. */
  run: string;
  attempt: number;
  status: string;
  /** When it was said, by the clock of this machine: it may be heard long after. */
  at: string;
};

const eventForms: readonly RegExp[] = [
  /\.events\.(\w+)\.instance\.([\w-]+)\.(\w+)$/,
  /\.(\w+)\.events\.([\w-]+)\.(\w+)$/,
];

/** A state event, read from its subject and its body as any client would. */
function toldBy({ subject, text }: Heard): Told | undefined {
  const [, entity = "", execId = "", event = ""] = eventForms.map((form) => form.exec(subject)).find(Boolean) ?? [];
  if (entity === "" || entity === "agent_runtime") return undefined;
  const { metadata, payload, workflow } = JSON.parse(text) as Body;
  const { message_id: id = "", event_timestamp: at = "" } = metadata ?? {};
  const { status = "", context } = payload ?? {};
  return { id, entity, event, execId, run: workflow?.exec_id ?? "", attempt: context?.attempt ?? 1, status, at };
}

/** That nobody took it is a fact about an agent, and not its end. */
const isEnd = ({ event, status }: Told): boolean => isTerminal(status) && event !== "dispatch_failed";

export function judge(evidence: Evidence): string[] {
  return [
    ...sameMessages(evidence),
    ...ends(evidence),
    ...answers(evidence),
    ...afterEnds(evidence),
    ...once(evidence),
  ];
}

function sameMessages({ heard }: Evidence): string[] {
  const texts = new Map<string, string>();
  return heard.flatMap(({ subject, text }) => {
    const id = (JSON.parse(text) as Body).metadata?.message_id ?? "";
    const known = texts.get(id) ?? text;
    texts.set(id, known);
    return known === text ? [] : [`I10 the message ${id} on ${subject} was said in two ways`];
  });
}

function ends({ heard, asked }: Evidence): string[] {
  const byPlace = new Map<string, Map<string, string>>();
  for (const told of heard.map(toldBy)) {
    if (!told || !isEnd(told)) continue;
    const place = `${told.entity} ${told.execId}, attempt ${told.attempt}`;
    byPlace.set(place, (byPlace.get(place) ?? new Map<string, string>()).set(told.id, told.event));
  }
  const doubled = [...byPlace].flatMap(([place, events]) =>
    events.size > 1 ? [`I2 ${place} has ended by ${[...events.values()].join(" and ")}`] : [],
  );
  const endless = asked
    .filter(({ execId }) => !byPlace.has(`workflow ${execId}, attempt 1`))
    .map(({ execId }) => `I1 nobody outside was told that ${execId} has ended`);
  return [...doubled, ...endless];
}

function answers({ asked, statusOf }: Evidence): string[] {
  return asked.flatMap(({ execId, status }) => {
    const now = statusOf(execId);
    if (status === null) return [`I12 whoever waits for ${execId} was told nothing`];
    return now === status ? [] : [`I6 ${execId} was ${status}, and is ${now ?? "not known"}`];
  });
}

const begins: ReadonlySet<string> = new Set(["scheduled", "started", "retry_scheduled"]);

function afterEnds({ heard }: Evidence): string[] {
  const all = heard.map(toldBy).filter((told) => told !== undefined);
  const endedAt = new Map(
    all.filter((told) => told.entity === "workflow" && isEnd(told)).map(({ execId, at }) => [execId, at]),
  );
  return all
    .filter(({ event, run, at }) => begins.has(event) && at > (endedAt.get(run) ?? at))
    .map(({ entity, event, execId, run }) => `I3 ${entity} ${execId} was ${event} after the end of ${run}`);
}

function once({ begun }: Evidence): string[] {
  const keys = new Set<string>();
  return begun.flatMap(({ key }) => {
    if (keys.has(key)) return [`I10 a handler was begun twice for ${key}`];
    keys.add(key);
    return [];
  });
}
