// The door `troupe/testing`: workflows in virtual time with mocks, searched for failures, and held against their past.

// A run that a test directs.
export { simulate } from "./door/simulate.ts";
export type { SimulateOptions, Simulation } from "./door/simulate.ts";
export type { SimulatedRun } from "./door/simulated-run.ts";
export type { Call } from "./door/perform.ts";
export type { Faults } from "./door/faults.ts";
export { mock } from "./door/mock.ts";
export type { AnyMock, Mock, MockContext } from "./door/mock.ts";
export { expectHistory } from "./door/expect-history.ts";
export type { HistoryExpectation, TaskExpectation } from "./door/expect-history.ts";

// A search for what goes wrong.
export { checkWorkflow, CheckFailure, workflowProperty } from "./door/check-workflow.ts";
export type { CheckOptions, Expectation } from "./door/check-workflow.ts";
export { arbitrariesOf } from "./door/arbitraries.ts";
export type { Arbitraries } from "./door/arbitraries.ts";
export type { CheckedDefinitions } from "./door/checkable.ts";
export type { Checked, Told } from "./report/checked.ts";

// Recorded runs against changed definitions.
export { replayHistory } from "./door/replay-history.ts";
export type { Divergence, HistoryReplay, ReplayOptions } from "./door/replay-history.ts";

// What all of it is made of.
export { playTrial } from "./check/branches.ts";
export { prepareCast, type Company } from "./check/cast.ts";
export { search } from "./check/search.ts";
export type {
  Called,
  CalleeSpec,
  Cast,
  Disturbance,
  FaultKind,
  Flaw,
  Judge,
  Outcome,
  Place,
  Played,
  Report,
  Trial,
} from "./check/trial.ts";
export { randomFrom } from "./random.ts";
export { virtualClock, type VirtualClock } from "./virtual-clock.ts";
export { makeDisk, openMemory, type Crash, type Disk, type MemoryStore } from "../store/memory.ts";
