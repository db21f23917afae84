// What an execution was begun with: the command that began it has it.

import { client } from "../connection.ts";

export async function inputOf(execId: string): Promise<unknown> {
  const { items } = await client.getHistory({ entities: "workflows", exec_id: execId, limit: 1 });
  const payload = items[0]?.envelope["payload"] as { context?: { input?: unknown } } | undefined;
  return payload?.context?.input ?? {};
}
