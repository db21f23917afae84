// The key of a message that a stream names: of two that share a name the state event says how the call stands.

export type KeyOf = (name: string, envelope: Record<string, unknown>) => string;

/** The table of messages is large: it is read by those who follow a stream, and by nobody else. */
export async function messageKeys(): Promise<KeyOf> {
  const { keys, nameOf } = await import("../protocol/catalogue.ts");
  const byName = new Map<string, string[]>();
  for (const key of keys) byName.set(nameOf(key), [...(byName.get(nameOf(key)) ?? []), key]);
  return (name, envelope) => {
    const [first = name, ...others] = byName.get(name) ?? [];
    if (others.length === 0) return first;
    const { agent_execution_status: status } = (envelope["payload"] ?? {}) as { agent_execution_status?: unknown };
    return `${status === undefined ? "result" : "event"}:${name}`;
  };
}
