// The states an entity can be in, as the wire names them.

export const entities = ["workflow", "task", "agent", "tool", "agent_runtime"] as const;
export type Entity = (typeof entities)[number];

export const statuses = {
  workflow: ["PENDING", "RUNNING", "PAUSED", "SUCCESS", "FAILED", "TIMED_OUT", "CANCELED"],
  task: ["PENDING", "RUNNING", "WAITING", "SUCCESS", "FAILED", "TIMED_OUT", "CANCELED"],
  agent: ["RUNNING", "SUCCESS", "FAILED", "CANCELED"],
  tool: ["RUNNING", "SUCCESS", "FAILED", "CANCELED"],
  agent_runtime: ["REGISTERED", "DEREGISTERED"],
} as const satisfies Record<Entity, readonly string[]>;

export type Status<E extends Entity = Entity> = (typeof statuses)[E][number];

/** How a command ended: SUCCESS and ACKNOWLEDGED are good, FAILURE was not carried out, ERROR broke the protocol. */
export const resultStatuses = ["SUCCESS", "ACKNOWLEDGED", "FAILURE", "ERROR", "AGENT_ERROR", "TOOL_ERROR"] as const;
export type ResultStatus = (typeof resultStatuses)[number];

/** No state yet. */
export const unborn = "-";

const terminal: readonly string[] = ["SUCCESS", "FAILED", "TIMED_OUT", "CANCELED", "DEREGISTERED"];
export const isTerminal = (status: string): boolean => terminal.includes(status);
