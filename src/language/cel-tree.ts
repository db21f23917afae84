// The tree that the CEL package makes of an expression, and what walks it: further in than its own types go.

export type Node = {
  readonly op: string;
  readonly args: unknown;
  readonly start: number;
  readonly end: number;
  readonly meta: { alternate?: Node; macro?: Macro; evaluate: Evaluate; check: Check };
  setMeta(key: string, value: unknown): void;
  handle?: Handle;
};
export type Evaluator = {
  run(node: Node, scope: unknown): unknown;
  debugType: (value: unknown) => unknown;
  debugTypeDeep: (value: unknown) => unknown;
  readonly mapType: unknown;
  readonly listType: unknown;
};
export type Checker = { check(node: Node, scope: unknown): unknown; getType(name: string): unknown; dynType: unknown };
type Evaluate = (evaluator: Evaluator, node: Node, scope: unknown) => unknown;
type Check = (checker: Checker, node: Node, scope: unknown) => unknown;
export type Handle = (first: unknown, second: unknown, ...rest: unknown[]) => unknown;
export type Macro = {
  readonly args?: readonly Node[];
  readonly var?: string;
  readonly val?: Node;
  readonly exp?: Node;
};
