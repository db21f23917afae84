// The example of the language in TypeScript, which waits for a signal.

import { defineWorkflow } from "../../../../src/index.ts";

// oxlint-disable-next-line import/no-default-export -- it is how a file gives its definition
export default defineWorkflow({
  id: "onboard",
  timeout: "7d",
  tasks: [
    { id: "mail", type: "tool", tool: "send", with: { to: "${{ input.mail }}" }, next: "click" },
    {
      id: "click",
      type: "wait",
      wait: { signal: "clicked", match: "${{ signal.payload.mail == input.mail }}" },
      timeout: "3d",
    },
  ],
});
