// What a user of a NATS server may say and hear, in the words of the server's configuration.

import { durableName } from "./nats-consumer.ts";
import { leaseBucketOf } from "./nats-lease.ts";
import { heldFor } from "./nats-patterns.ts";
import type { StreamPlan } from "./nats-streams.ts";

export type Permissions = {
  publish: readonly string[];
  subscribe: readonly string[];
  /** Counts before what is allowed. */
  notSubscribe?: readonly string[];
};

/** What a process hears, as far as streams have it. */
export type Hearing = { pattern: string; group?: string | undefined; isPassing: boolean };

const api = "$JS.API";
/** Answers go where the question says, as often and as late as work takes. */
const answers = `allow_responses: { max: 16, expires: "24h" }`;

/** What it takes to hear what streams hold: consumers that are shared have names, others are made anew each time. */
export function consumerSubjects(streams: readonly StreamPlan[], hearings: readonly Hearing[]): string[] {
  return hearings.flatMap((hearing) =>
    heldFor(streams, hearing.pattern, hearing.group, hearing.isPassing).flatMap(({ name: stream, filters }) => {
      const { group } = hearing;
      const name = group === undefined ? "*" : durableName(group, filters);
      const made =
        group === undefined
          ? [
              `${api}.CONSUMER.CREATE.${stream}`,
              `${api}.CONSUMER.CREATE.${stream}.>`,
              `${api}.CONSUMER.DELETE.${stream}.*`,
            ]
          : [`${api}.CONSUMER.DURABLE.CREATE.${stream}.${name}`, `${api}.CONSUMER.CREATE.${stream}.${name}.>`];
      return [
        `${api}.STREAM.INFO.${stream}`,
        `${api}.CONSUMER.INFO.${stream}.${name}`,
        `${api}.CONSUMER.MSG.NEXT.${stream}.${name}`,
        `$JS.ACK.${stream}.${name}.>`,
        ...made,
      ];
    }),
  );
}

/** What it takes to make streams, and to mend them. */
export const keeperSubjects = (streams: readonly StreamPlan[]): string[] =>
  streams.flatMap(({ name }) => ["INFO", "CREATE", "UPDATE"].map((verb) => `${api}.STREAM.${verb}.${name}`));

/** What it takes to be the orchestrator of a namespace. */
export function leaseSubjects(prefix: string): string[] {
  const bucket = leaseBucketOf(prefix);
  const stream = `KV_${bucket}`;
  const verbs = ["STREAM.INFO", "STREAM.CREATE", "STREAM.UPDATE", "STREAM.MSG.GET"];
  return [`${api}.INFO`, `$KV.${bucket}.>`, ...verbs.map((verb) => `${api}.${verb}.${stream}`)];
}

/** What it takes to put and to get large contents. */
export function objectSubjects(bucket: string, isKeeper: boolean): string[] {
  const stream = `OBJ_${bucket}`;
  const verbs = [
    "STREAM.INFO",
    "STREAM.MSG.GET",
    "STREAM.PURGE",
    "CONSUMER.CREATE",
    "CONSUMER.DELETE",
    "CONSUMER.INFO",
  ];
  return [
    `${api}.INFO`,
    `$O.${bucket}.>`,
    ...[...verbs, ...(isKeeper ? ["STREAM.CREATE", "STREAM.UPDATE"] : [])].map((verb) => `${api}.${verb}.${stream}`),
    ...["CONSUMER.CREATE", "CONSUMER.DELETE", "CONSUMER.INFO", "CONSUMER.MSG.NEXT", "DIRECT.GET"].map(
      (verb) => `${api}.${verb}.${stream}.>`,
    ),
    `$JS.ACK.${stream}.>`,
    `$JS.FC.${stream}.>`,
  ];
}

/** A user as it stands in the list of users; who it is stands in `who`, in the server's own words. */
export function userText(who: string, { publish, subscribe, notSubscribe }: Permissions): string {
  const list = (subjects: readonly string[]): string =>
    `[\n${Array.from(new Set(subjects), (subject) => `        ${JSON.stringify(subject)}`).join("\n")}\n      ]`;
  const denied = notSubscribe ? `, deny: ${list(notSubscribe)}` : "";
  return [
    `  { ${who}, permissions: {`,
    `      publish: { allow: ${list(publish)} }`,
    `      subscribe: { allow: ${list(subscribe)}${denied} }`,
    `      ${answers}`,
    `  } }`,
  ].join("\n");
}
