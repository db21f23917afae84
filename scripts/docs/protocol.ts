// Writes docs/protocol.md: the reference of all messages, for people.

import { aliases } from "../../src/protocol/aliases.ts";
import { entryOf, keys, nameOf, type Key } from "../../src/protocol/catalogue.ts";
import { components, everyone, type Kind, type NameAlias } from "../../src/protocol/entry.ts";
import { templateOf } from "../../src/protocol/layouts.ts";
import { entities, statuses, resultStatuses } from "../../src/protocol/statuses.ts";
import { code, generatedFrom, table, type Document } from "./document.ts";
import * as fields from "./fields.ts";
import { fileOf } from "./schemas.ts";

const kinds: Record<Kind, readonly [title: string, meaning: string]> = {
  command: ["Commands", "Do something. Stored ones travel through a stream, the others as core requests or messages."],
  result: ["Results", "The reply to one command."],
  event: ["Events", "It happened: a state was entered. All are stored, and everyone who watches receives them."],
  progress: ["Progress", "News of the moment and heartbeats, never stored."],
  log: ["Logs", "Log lines, and messages that were refused."],
};

const deliveries = { stored: "stored in a stream", request: "core request", core: "core, at most once" };

const link = (key: Key): string => `[${key}](#${key.toLowerCase().replace(":", "")})`;
const codes = (names: readonly string[]): string => names.join(" ");
const watched = codes(everyone);
/** Who receives it; all who watch everything count as one. */
const receivers = (key: Key): string => {
  const { to } = entryOf(key);
  const others = to.filter((code) => !(everyone as readonly string[]).includes(code));
  return entryOf(key).kind === "event" ? codes(["all", ...others]) : codes(to);
};

const overview = (kind: Kind): string =>
  table(
    ["Message", "Subject", "From → to", "Status", "Reply"],
    keys
      .filter((key) => entryOf(key).kind === kind)
      .map((key) => {
        const { subject, by, reply } = entryOf(key);
        return [
          link(key),
          code(subject),
          `${codes(by)} → ${receivers(key)}`,
          codes(fields.statusesOf(key)),
          reply === undefined ? "" : nameOf(reply as Key),
        ];
      }),
  );

const aliasLine = (alias: NameAlias, key: Key): string => {
  const warns = alias.silent === true ? "gives no warning" : "gives a warning";
  return `${code(alias.name)}, replaced by ${code(nameOf(key))} in protocol ${alias.since}; ${warns}`;
};

const bullet = (label: string, items: readonly string[]): string[] =>
  items.length === 0 ? [] : [`- ${label}: ${items.join(", ")}`];

const details = (key: Key): string => {
  const { summary, subject, by, delivery, reply, aliases = [] } = entryOf(key);
  const lines = [
    ...bullet("Subject", [code(`<p>.${subject}`)]),
    ...bullet("Correlated", [code(`<p>.${templateOf(key).correlated.join(".")}`)]),
    `- From → to: ${codes(by)} → ${receivers(key)}`,
    ...bullet("Delivery", [deliveries[delivery]]),
    ...bullet("Reply", reply === undefined ? [] : [link(reply as Key)]),
    ...bullet("Sections", fields.sectionFields(key)),
    ...bullet("Status", fields.statusesOf(key).map(code)),
    ...bullet("Payload requires", fields.requiredFields(key)),
    ...bullet("Payload may carry", fields.optionalFields(key)),
    ...aliases.map((alias) => `- Old name: ${aliasLine(alias, key)}`),
    `- Schema: [${fileOf(key)}](schemas/${fileOf(key)})`,
  ];
  return `### ${key}\n\n${summary}\n\n${lines.join("\n")}`;
};

const chapter = (kind: Kind): string => {
  const [title, meaning] = kinds[kind];
  const own = keys.filter((key) => entryOf(key).kind === kind);
  return [`## ${title}`, meaning, ...own.map(details)].join("\n\n");
};

const everyKind = Object.keys(kinds) as Kind[];
const example: Key = "command:TriggerAgent";

const introduction = [
  "# Messages",
  `Every message of troupe protocol 1: ${keys.length} of them. For programs the same stands in ` +
    "[asyncapi.json](asyncapi.json) and [schemas/](schemas), and what each error code means in [errors.md](errors.md).",
  "A message is known by its key, `<kind>:<Name>`. Subjects are written without the prefix, here `<p>`, which is " +
    "`compozy` unless configured. `<wf>`, `<task>`, `<agent>` and `<tool>` stand for definition ids (`<wf>` is `_` " +
    "for an agent or tool that runs by itself), the same with a final x for execution ids, `<rt>` for the id of an " +
    "agent runtime, `<corr>` for the correlation id. There are two layouts of subjects, and configuration chooses " +
    "one: *flow*, used in the tables, and *correlated*, which begins with the correlation id.",
  "## Components",
  table(
    ["Short", "Component"],
    Object.entries(components).map(([short, name]) => [short, code(name)]),
  ),
  `*all* are those who watch every event: ${watched}. *any* is whoever has something to say, *issuer* whoever sent ` +
    "the command.",
];

const metadataRows = (): string[][] =>
  fields
    .metadataFields(example)
    .map(({ path, required, kind, description }) => [code(path), required ? "always" : "if known", kind, description]);

const partRows = (): string[][] =>
  fields
    .partsOf(keys)
    .map(({ name, kind, description }) => [
      code(name),
      name === "error_code" ? "see [errors.md](errors.md)" : kind,
      description,
    ]);

const statusRows = (): string[][] =>
  [...Object.entries(statuses), ["result", resultStatuses] as const].map(([of, names]) => [
    of,
    names.map(code).join(" "),
  ]);

const common = (): string[] => [
  "## What every message carries",
  "`metadata`, besides `message_type`, which is the name:",
  table(["Field", "", "Holds", ""], metadataRows()),
  "Headers: `Nats-Msg-Id` is `message_id`, `Troupe-Correlation-Id` is `correlation_id`; `traceparent` and " +
    "`tracestate` are passed on to whatever a message causes.",
  `Sections \`{ id, exec_id, name? }\` name the message's own entity and its parents: ` +
    `${entities.map(code).join(", ")}. The ones a message cannot do without are listed with it.`,
  "`payload.context` of any message may carry:",
  fields
    .commonContext(example)
    .map((field) => `- ${field}`)
    .join("\n"),
  "Shapes that have a name:",
  table(["Name", "Holds", ""], partRows()),
  "Statuses:",
  table(["Of", "Statuses"], statusRows()),
];

const forms: Record<keyof typeof aliases, string> = {
  words: "action or event in a subject",
  roots: "root of a correlated subject",
  beginnings: "beginning of a flow subject",
  spellings: "part of any name",
  statuses: "status",
  fields: "field",
};

/** An old form that holds for many messages, and where. */
const oldForm = (where: string, alias: OldForm): string[] => [
  alias.entity === undefined ? where : `${where}, ${alias.entity}`,
  code(alias.given),
  code(alias.use),
  String(alias.since),
  alias.silent === true ? "no" : "yes",
];
type OldForm = { given: string; use: string; since: number; silent?: true; entity?: string };

const oldForms = (): string[] => [
  "## Old forms",
  "These are understood in any message, beside the old names listed with each. Using one adds an entry " +
    "`{ code: DEPRECATED_ALIAS, given, use }` to `context.warnings` of the reply. Nothing else is guessed.",
  table(
    ["Where", "Given", "Use", "Since", "Warns"],
    (Object.keys(forms) as (keyof typeof aliases)[]).flatMap((form) =>
      aliases[form].map((alias) => oldForm(forms[form], alias)),
    ),
  ),
];

export function protocol(): Document[] {
  const text = [
    generatedFrom("src/protocol"),
    ...introduction,
    "## Overview",
    ...everyKind.map((kind) => `**${kinds[kind][0]}**\n\n${overview(kind)}`),
    ...common(),
    ...everyKind.map(chapter),
    ...oldForms(),
  ].join("\n\n");
  return [{ path: "docs/protocol.md", text: `${text}\n` }];
}
