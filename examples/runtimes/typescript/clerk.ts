// A runtime in five lines: an agent for a troupe that is elsewhere.

import { serveAgent } from "../../../src/serve/serve.ts";

await serveAgent("clerk", async (input, { think, tool }) => {
  think(`Looking up ${JSON.stringify(input)}`);
  return { order: await tool("look", input) };
});
