// Writes docs/http.md and docs/openapi.json: every operation of the HTTP interface, from the contract.

import { z } from "zod";
import { type Operation, type Route, routes } from "../../src/gateway/contract.ts";
import { codesByStatus, openapi } from "../../src/gateway/openapi.ts";
import { code, generatedFrom, table, type Document, json } from "./document.ts";

type Named = readonly [name: Operation, route: Route];
const all = Object.entries(routes) as readonly Named[];

const titles: Readonly<Record<string, string>> = {
  executions: "Asking for executions",
  running: "Beginning",
  steering: "Steering",
  streams: "Following",
  definitions: "Definitions and charts",
  runtimes: "Runtimes",
  schedules: "Schedules",
  threads: "Conversations",
  webhooks: "Webhooks",
  logs: "Logs",
  daemon: "The process",
};

const escaped = (text: string): string => text.replaceAll("|", "\\|");

const typeOf = (schema: z.ZodType): string => {
  const written = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as {
    type?: string | string[];
    enum?: unknown[];
    const?: unknown;
    items?: object;
    title?: string;
  };
  if (written.enum) return written.enum.length > 8 ? "word" : written.enum.map(String).join(", ");
  if (written.const !== undefined) return JSON.stringify(written.const);
  return [written.type ?? "any JSON"].flat().join(" or ");
};

const descriptionOf = (schema: z.ZodType): string => schema.meta()?.description ?? "";

function fieldRows(where: string, schema: z.ZodType | undefined): string[][] {
  if (!(schema instanceof z.ZodObject)) {
    return schema === undefined ? [] : [["body", where, typeOf(schema), descriptionOf(schema)]];
  }
  return Object.entries(schema.shape).map(([name, field]) => [
    code(name) + (field instanceof z.ZodOptional || where === "path" ? "" : " (needed)"),
    where,
    typeOf(field as z.ZodType),
    descriptionOf(field as z.ZodType),
  ]);
}

function section([name, route]: Named): string {
  const { method, path, summary, description, scope, params, query, body, answers, gives } = route;
  const rows = [...fieldRows("path", params), ...fieldRows("query", query), ...fieldRows("body", body)];
  const said = Object.entries(answers).map(([status, schema]) => {
    const id = (schema as z.ZodType).meta()?.["id"];
    const what = gives === "events" ? "a stream of events" : gives === "text" ? "text" : id ? code(String(id)) : "";
    return status === "204" ? "204" : `${status}${what === "" ? "" : ` ${what}`}`;
  });
  return [
    `### ${name}`,
    `${code(`${method} ${path}`)} (${scope})`,
    `${summary}.${description === undefined ? "" : ` ${description}`} Answers ${said.join(", ")}.`,
    ...(rows.length > 0
      ? [
          table(
            ["Field", "In", "Type", "Meaning"],
            rows.map((row) => row.map(escaped)),
          ),
        ]
      : []),
  ].join("\n\n");
}

const intro = `Base address: what \`troupe up\` prints, usually \`http://127.0.0.1:7420\`. The same table makes
the server, this page, [openapi.json](openapi.json) (OpenAPI 3.1; served at \`/openapi.json\`, to be tried out at
\`/swagger.ui\`) and the typed client:

\`\`\`ts
import { connect } from "troupe/client";

const client = connect({ url: "http://127.0.0.1:7420" });
const { exec_id } = await client.executeWorkflowAsync({ id: "refund", input: { order: "A7" } });
for await (const { event } of client.streamExecution({ exec_id })) console.log(event);
\`\`\`

- Everything is JSON in snake case; times are ISO 8601 in UTC. Fields that are not known are refused, all that is wrong
  at once.
- Every answer has the header \`X-Correlation-Id\`; one that the request brings (a UUID) is taken over, and so is
  \`traceparent\`.
- \`Idempotency-Key\` on a POST does it once: for 24 hours the same key gives the same answer, also after a crash, and
  is refused with 409 for other content. For what is said to an execution the key counts as long as that is kept.
- Lists have \`limit\` (1 to 200) and \`cursor\`, and answer \`{items, next_cursor}\`; \`next_cursor\` is null on the
  last page.
- Streams are server-sent events: \`id\` is the number in the journal, \`event\` the name of the message, \`data\` its
  envelope. With \`Last-Event-ID\` they go on where they were; \`?progress=true\` adds what handlers say while they run.
- Where a daemon has tokens, send \`Authorization: Bearer <token>\`; streams take \`?access_token=\` too. In brackets
  below: what the token must allow. See [security.md](security.md).
- Where a path names an execution by its id, its kind may be \`any\`.

## Problems

What goes wrong is answered as \`application/problem+json\` (RFC 9457): \`{type, title, status, detail, code, details,
correlation_id, fix}\`. The codes are those of [errors.md](errors.md); a synchronous run that does not succeed is a
problem too, with the code it failed with, and with \`execution\`.`;

export function http(): Document[] {
  const groups = Map.groupBy(all, ([, { tags }]) => tags[0]);
  const index = table(
    ["Operation", "Path", "Scope", "What for"],
    all.map(([name, { method, path, scope, summary }]) => [
      `[${name}](#${name.toLowerCase()})`,
      code(`${method} ${path}`),
      scope,
      summary,
    ]),
  );
  const statuses = [...codesByStatus()].sort(([one], [other]) => one - other);
  const text = [
    generatedFrom("src/gateway/contract.ts"),
    "# HTTP",
    intro,
    table(
      ["Status", "Codes"],
      statuses.map(([status, codes]) => [String(status), codes.map(code).join(", ")]),
    ),
    "## All operations",
    index,
    ...[...groups].flatMap(([tag, members]) => [`## ${titles[tag] ?? tag}`, ...members.map(section)]),
  ].join("\n\n");
  return [
    { path: "docs/http.md", text: `${text}\n` },
    { path: "docs/openapi.json", text: json(openapi()) },
  ];
}
