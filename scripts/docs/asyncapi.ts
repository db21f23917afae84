// Writes docs/asyncapi.json: the protocol in AsyncAPI 3, for whoever writes a component in another language.

import { entryOf, keys, nameOf, type Key } from "../../src/protocol/catalogue.ts";
import { channels, forEach, parameters, ref, type Part } from "./asyncapi-channels.ts";
import { operations, replies } from "./asyncapi-operations.ts";
import { json, type Document } from "./document.ts";
import { exampleOf } from "./examples.ts";
import { fileOf } from "./schemas.ts";

const headers: Part = {
  type: "object",
  description: "tracestate and other headers may come along.",
  properties: {
    "Nats-Msg-Id": { type: "string", format: "uuid", description: "metadata.message_id, for deduplication" },
    "Troupe-Correlation-Id": { type: "string", format: "uuid", description: "metadata.correlation_id" },
    traceparent: {
      type: "string",
      description: "W3C trace context, passed on to every message this one causes",
    },
  },
  required: ["Nats-Msg-Id", "Troupe-Correlation-Id"],
};

const messageOf = (key: Key): Part => {
  const { envelope, encoded } = exampleOf(key);
  return {
    name: nameOf(key),
    title: key,
    summary: entryOf(key).summary,
    tags: [{ name: entryOf(key).kind }],
    headers: ref("components", "schemas", "headers"),
    correlationId: ref("components", "correlationIds", "correlation"),
    payload: { $ref: `./schemas/${fileOf(key)}` },
    examples: [{ summary: `on ${encoded.subject}`, headers: encoded.headers, payload: envelope }],
  };
};

const description = [
  "Every message of troupe protocol 1 over NATS. protocol.md beside this file is the same for people.",
  "An agent runtime in another language is the operations tagged agent.Runtime; a tool server is those tagged " +
    "tool.Executor; a client is those tagged api.Service.",
  "Channels are in the layout `flow`; a troupe whose configuration says `correlated` uses the other address that " +
    "each channel's description names.",
  "Whoever reads messages ignores fields it does not know, and refuses unknown names, subjects and statuses.",
].join("\n\n");

export function asyncapi(): Document[] {
  const document = {
    asyncapi: "3.0.0",
    id: "urn:troupe:protocol:1",
    info: {
      title: "troupe protocol",
      version: "1",
      description,
      license: { name: "MIT", url: "https://opensource.org/license/mit" },
    },
    defaultContentType: "application/json",
    servers: {
      local: {
        host: "127.0.0.1:4222",
        protocol: "nats",
        description: "A nats-server with JetStream on this machine.",
      },
    },
    channels: channels(),
    operations: operations(),
    components: {
      schemas: { headers },
      correlationIds: { correlation: { location: "$message.payload#/metadata/correlation_id" } },
      parameters,
      replies,
      messages: forEach(keys, messageOf),
    },
  };
  return [{ path: "docs/asyncapi.json", text: json(document) }];
}
