// A runtime with the agent and the tool that `troupe runtime-test` knows: every rule can be tried on it.

import { serve } from "../../../src/serve/serve.ts";
import { agent, input, tool } from "./behaviours.ts";

await serve(
  { agents: [{ id: "conformance", handler: agent }], tools: [{ id: "conformance", handler: tool, input }] },
  { limits: { agents: 4 } },
);
