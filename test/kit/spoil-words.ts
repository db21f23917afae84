// The ways in which the fuzzer says a message otherwise: old words, other names, other subjects.

import { aliases } from "../../src/protocol/aliases.ts";
import { entryOf, keys, nameOf } from "../../src/protocol/catalogue.ts";
import { wordsOf } from "../../src/protocol/layouts.ts";
import { any, refused, same } from "./case.ts";
import { objectAt, otherId, uuid, type BodyMutation } from "./places.ts";

/** The tokens of a subject, and where its root, entity and word stand. */
function partsOf(subject: string) {
  const tokens = subject.split(".");
  const correlated = uuid.test(tokens[1] ?? "");
  const [root, entity] = correlated ? [tokens[3], tokens[2]] : [tokens[1], tokens[2]];
  const at = correlated || root === "events" || root === "progress" ? tokens.length - 1 : tokens.length - 2;
  return { tokens, root: root ?? "", entity: entity ?? "", at };
}

const mutations: Record<string, BodyMutation> = {
  "use an old name": (draft, random) => {
    const { key } = draft.sample;
    const name = nameOf(key);
    const spelled = [name.replaceAll("Canceled", "Cancelled"), name.replaceAll("Execution", "Invocation")];
    const old = [...(entryOf(key).aliases ?? []).map((alias) => alias.name), ...spelled];
    const given = random.pick(old);
    const metadata = objectAt(draft.body, ["metadata"]);
    if (given === name || metadata === undefined) return undefined;
    metadata["message_type"] = given;
    return given === "AgentExecute" ? same : { ...same, warnings: "some" };
  },
  "use an old status": (draft, random) => {
    const payload = objectAt(draft.body, ["payload"]);
    const fitting = aliases.statuses.filter(
      ({ use, entity }) =>
        use === payload?.["status"] &&
        (entity ?? entryOf(draft.sample.key).entity) === entryOf(draft.sample.key).entity,
    );
    if (payload === undefined || fitting.length === 0) return undefined;
    payload["status"] = random.pick(fitting).given;
    return { ...same, warnings: "some" };
  },
  "use an old field": (draft, random) => {
    const { given, use } = random.pick(aliases.fields);
    const from = objectAt(draft.body, use.split(".").slice(0, -1));
    const to = objectAt(draft.body, given.split(".").slice(0, -1));
    const name = use.split(".").at(-1) ?? "";
    if (from?.[name] === undefined || to === undefined) return undefined;
    to[given.split(".").at(-1) ?? ""] = from[name];
    delete from[name];
    return { ...same, warnings: "some" };
  },
  "use an old word in the subject": (draft, random) => {
    const { tokens, root, entity, at } = partsOf(draft.subject);
    const fitting = aliases.words.filter(
      (alias) => alias.root === root && (alias.entity ?? entity) === entity && alias.use === tokens[at],
    );
    if (fitting.length === 0) return undefined;
    const alias = random.pick(fitting);
    tokens[at] = alias.given;
    draft.subject = tokens.join(".");
    return { ...same, warnings: alias.silent === true ? "none" : "some" };
  },
  "use an old beginning of the subject": (draft) => {
    const before = draft.subject;
    draft.subject = before
      .replace(".events.agent_runtime.instance.", ".events.agent.definition.")
      .replace(/^([^.]+\.[^.]{36}\.[^.]+\.)commands/, "$1cmds")
      .replace(/^([^.]+\.[^.]{36}\.[^.]+\.)events/, "$1evts");
    return draft.subject === before ? undefined : { ...same, warnings: "some" };
  },
  "take the name of another message": (draft, random) => {
    const metadata = objectAt(draft.body, ["metadata"]);
    const name = nameOf(random.pick(keys));
    if (metadata === undefined || name === nameOf(draft.sample.key)) return undefined;
    metadata["message_type"] = name;
    // On an inbox the name is all there is, and one result may look like another.
    return draft.subject.startsWith("_INBOX") ? any : refused;
  },
  "say another word in the subject": (draft, random) => {
    const { tokens, root, entity, at } = partsOf(draft.subject);
    const others = wordsOf(root, entity).filter((word) => word !== "" && word !== tokens[at]);
    if (others.length === 0) return undefined;
    tokens[at] = random.pick(others);
    draft.subject = tokens.join(".");
    return refused;
  },
  "take the subject of another message": (draft, random, corpus) => {
    const other = random.pick(corpus);
    draft.subject = other.subject;
    return other.key === draft.sample.key || other.subject.startsWith("_INBOX") ? any : refused;
  },
  "take the subject of a message of the same key": (draft, random, corpus) => {
    draft.subject = random.pick(corpus.filter((other) => other.key === draft.sample.key)).subject;
    return any;
  },
  "spoil a token of the subject": (draft, random) => {
    const tokens = draft.subject.split(".");
    const at = random.below(tokens.length);
    const id = otherId(random);
    const odd = ["", "*", ">", " ", "a b", "x".repeat(10_000), "_", "ı", "commands", "results", "agent", id];
    const removed = random.below(2);
    tokens.splice(at, removed, ...(random.chance(0.7) ? [random.pick(odd)] : []));
    draft.subject = tokens.join(".");
    return any;
  },
  "take a foreign prefix": (draft) => {
    if (draft.subject.startsWith("_INBOX")) return undefined;
    draft.subject = draft.subject.replace(/^[^.]+/, "elsewhere");
    return refused;
  },
};

export const wordMutations: readonly (readonly [string, BodyMutation])[] = Object.entries(mutations);
