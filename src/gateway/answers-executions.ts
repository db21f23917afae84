// What is answered about executions: how they stand, what was said in them, what they wait for.

import type { Readable } from "node:stream";
import { TroupeError } from "../protocol/errors.ts";
import type { Search, Shown } from "../runtime/questions.ts";
import type { Troupe } from "../runtime/troupe.ts";
import type { Asked, AnswersOf, Said } from "./answers.ts";
import { executionOf, reportOf, stepsOf } from "./shown.ts";
import type { StreamQuery, Streams } from "./stream.ts";

type Entities = "workflows" | "tasks" | "agents" | "tools" | "any";

type Means = { troupe: Troupe; streams: Pick<Streams, "events"> };

const pageUnlessSaid = 50;
const treeMax = 10_000;

export const singular: Readonly<Record<Exclude<Entities, "any">, "workflow" | "task" | "agent" | "tool">> = {
  workflows: "workflow",
  tasks: "task",
  agents: "agent",
  tools: "tool",
};

type Found = Asked<"listExecutions">["query"];

/** A query as the engine takes it. */
export function searchOf(found: Omit<Found, "limit" | "order" | "cursor">, entities?: Entities): Search {
  const { label = [], error_code, correlation_id, created_from, created_until, ...same } = found;
  const labels = Object.fromEntries(
    label.map((one) => [one.slice(0, one.indexOf(":")), one.slice(one.indexOf(":") + 1)]),
  );
  return {
    ...(entities !== undefined && entities !== "any" && { entity: singular[entities] }),
    ...given(same),
    ...given({ errorCode: error_code, correlationId: correlation_id }),
    ...(label.length > 0 && { labels }),
    ...(created_from !== undefined && { createdFrom: Date.parse(created_from) }),
    ...(created_until !== undefined && { createdUntil: Date.parse(created_until) }),
  };
}

type Lines = Pick<Asked<"getJournal">, "params" | "query">;
type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };
/** Without what was not given. */
export const given = <T extends object>(fields: T): Given<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Given<T>;

/** One execution of the kind that was asked for. */
export async function shownAt(troupe: Troupe, entities: Entities, execId: string): Promise<Shown> {
  const shown = troupe.get(execId);
  if (entities === "any" || shown.entity === singular[entities]) return shown;
  // What is run by itself and the first call in it have one id.
  const entity = singular[entities];
  const { items } = shown.run === execId ? await troupe.list({ run: execId, entity, limit: 10 }) : { items: [] };
  const same = items.find((one) => one.execId === execId);
  if (same) return same;
  const message = `'${execId}' is no ${entity} execution: it is of kind ${shown.entity}`;
  throw new TroupeError("EXECUTION_NOT_FOUND", message, { exec_id: execId, entity: shown.entity });
}

/** Parts of a journal are of limited size: so many are a page, however few lines there are in them. */
const partsMax = 64;

export function executionAnswers({ troupe, streams }: Means) {
  const list = async (query: Found, entities: Entities, id?: string) => {
    const { limit = pageUnlessSaid, cursor, order, ...found } = query;
    const page = given({ limit, after: cursor, order, id: id ?? found.id });
    const { items, cursor: next } = await troupe.list({ ...searchOf(found, entities), ...page });
    return { body: { items: items.map(executionOf), next_cursor: next } };
  };

  const lines = async ({ params, query }: Lines, isWanted: (disposition: string) => boolean) => {
    const { exec_id, entities } = params;
    const { limit = 200, cursor = "0", from_line = Number(cursor) } = query;
    await shownAt(troupe, entities, exec_id);
    const found = [];
    let next: number | null = from_line;
    for (let parts = 0; next !== null && found.length < limit && parts < partsMax; parts++) {
      const part = await troupe.journal({ execId: exec_id, fromLine: next });
      const taken = part.lines.slice(0, limit - found.length);
      found.push(...taken);
      const isCut = taken.length < part.lines.length;
      if (isCut) next = (taken.at(-1)?.line ?? next) + 1;
      else next = part.isEnd ? null : part.nextLine;
    }
    const items = found.filter(({ disposition }) => isWanted(disposition));
    return { body: { items, next_line: next, next_cursor: next === null ? null : String(next) } };
  };

  const workflowOf = (run: string): string => troupe.get(run).id;

  async function tree({ params }: Asked<"getTree">) {
    const { run } = await shownAt(troupe, params.entities, params.exec_id);
    const items: Shown[] = [];
    let after: string | null = null;
    do {
      const page = await troupe.list({ run, order: "oldest", limit: 500, ...(after !== null && { after }) });
      items.push(...page.items);
      after = page.cursor;
    } while (after !== null && items.length < treeMax);
    return { body: { items: items.map(executionOf), is_whole: after === null } };
  }

  const followed = (
    { query, headers, isWelcome }: Pick<Asked<"streamExecution">, "query" | "headers" | "isWelcome">,
    what: StreamQuery,
  ): Said<Readable> => {
    const { progress, last_event_id } = query;
    const lastEventId = [headers["last-event-id"]].flat()[0] ?? last_event_id;
    return { body: streams.events({ ...what, isWelcome, ...given({ progress, lastEventId }) }) };
  };

  return {
    listExecutions: ({ params, query }) => list(query, params.entities),
    async listExecutionsOf({ params: { entities, id }, query }) {
      const [workflow, task] = entities === "tasks" && id.includes(".") ? id.split(".", 2) : [undefined, id];
      const { body } = await list(query, entities, task);
      if (workflow === undefined) return { body };
      // A page may have fewer for it: other workflows have tasks of this id too.
      const items = body.items.filter(({ run, exec_id }) => run !== exec_id && workflowOf(run) === workflow);
      return { body: { ...body, items } };
    },
    async countExecutions({ params, query: { by, ...found } }) {
      return { body: { counts: await troupe.count(searchOf(found, params.entities), by) } };
    },
    getExecution: async ({ params }) => ({
      body: executionOf(await shownAt(troupe, params.entities, params.exec_id)),
    }),
    async getStatus({ params }) {
      const { exec_id, status, attempt, ended_at, error_code } = executionOf(
        await shownAt(troupe, params.entities, params.exec_id),
      );
      return { body: { exec_id, status, attempt, ended_at, error_code } };
    },
    getHistory: (asked) => lines(asked, (disposition) => disposition === "applied"),
    getJournal: (asked) => lines(asked, () => true),
    async getSteps({ params, query }) {
      await shownAt(troupe, params.entities, params.exec_id);
      return {
        body: stepsOf(await troupe.steps(params.exec_id, given({ afterSeq: query.after_seq, limit: query.limit }))),
      };
    },
    getTree: tree,
    async getWhy({ params }) {
      const { execId } = await shownAt(troupe, params.entities, params.exec_id);
      return { body: { exec_id: execId, why: troupe.why(execId) } };
    },
    async getCancelReport({ params }) {
      await shownAt(troupe, params.entities, params.exec_id);
      return { body: reportOf(await troupe.cancelReport(params.exec_id)) };
    },
    async streamExecution(asked) {
      await shownAt(troupe, asked.params.entities, asked.params.exec_id);
      return followed(asked, { execId: asked.params.exec_id });
    },
    streamEvents(asked) {
      const { entity, type, correlation_id } = asked.query;
      return followed(asked, given({ entity, type, correlationId: correlation_id }));
    },
  } satisfies AnswersOf<
    | "listExecutions"
    | "listExecutionsOf"
    | "countExecutions"
    | "getExecution"
    | "getStatus"
    | "getHistory"
    | "getJournal"
    | "getSteps"
    | "getTree"
    | "getWhy"
    | "getCancelReport"
    | "streamExecution"
    | "streamEvents"
  >;
}
