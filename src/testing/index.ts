// The door `troupe/testing`: a whole troupe under one seed, in virtual time, on a disk that breaks when told to.

export { randomFrom } from "./random.ts";
export { virtualClock, type VirtualClock } from "./virtual-clock.ts";
export { makeDisk, openMemory, type Crash, type Disk, type MemoryStore } from "../store/memory.ts";
export { check } from "./simulation/check.ts";
export { scenarioOf } from "./simulation/draw.ts";
export type { Evidence, Finding } from "./simulation/evidence.ts";
export { historyOf } from "./simulation/history.ts";
export { beginLife, type Life, type Variant } from "./simulation/life.ts";
export type { Act, Cast, Fault, Foreigner, Move, Scenario, Weather } from "./simulation/scenario.ts";
export { shrink, textOf, type Shrunk } from "./simulation/shrink.ts";
export { simulate, type Result } from "./simulation/simulate.ts";
