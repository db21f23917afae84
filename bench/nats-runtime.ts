// The other process of bench/nats.ts: it serves the agent of the workflows, and answers the bare requests of the floor.

import { connect, nkeyAuthenticator } from "@nats-io/transport-node";
import { serve } from "../src/serve/serve.ts";

export type RuntimeOrders = { url: string; seed: string; nkey: string; prefix: string; echo: string };

// A parent that is gone ends it too.
process.on("disconnect", () => process.exit(0));

const { url, seed, nkey, prefix, echo } = JSON.parse(process.argv[2] ?? "{}") as RuntimeOrders;
const limits = { agents: 4_096 };
// An order that is late is canceled, and said to be: the rate shows it.
const report = (): void => undefined;
await serve({ agents: [{ id: "echo", handler: (given) => given }] }, { servers: url, nkey, prefix, limits, report });
const bare = await connect({ servers: url, authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)) });
bare.subscribe(echo, { callback: (_error, message) => void message.respond(message.data) });
await bare.flush();
process.send?.("ready");
