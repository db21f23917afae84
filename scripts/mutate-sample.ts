// Estimates the mutation score: tests changes drawn by chance from all that Stryker would make, and prints an interval.
//
//   npm run mutate:sample -- --changes 400 --seed 1
//
// It works on copies of the repository, one for each core: a change stands in a file for as long as its test runs.

import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createInstrumenter } from "@stryker-mutator/instrumenter";
import { createInjector } from "typed-inject";

type Place = { line: number; column: number };
type Change = { file: string; replacement: string; start: Place; end: Place };
type Result = "noticed" | "survived";

const root = fileURLToPath(new URL("..", import.meta.url));
const folders = ["src/machines", "src/protocol"];
const testMaxMs = 400_000;

const { values } = parseArgs({
  options: { changes: { type: "string", default: "400" }, seed: { type: "string", default: "1" } },
});
const count = Number(values.changes);
const seed = Number(values.seed);
if (!Number.isInteger(count) || count < 1 || !Number.isInteger(seed)) {
  console.error("--changes and --seed must be whole numbers");
  process.exit(2);
}

/** Every change that Stryker knows for these folders. */
async function changesOf(): Promise<Change[]> {
  const names = folders.flatMap((folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`));
  const sources = names.filter((name) => name.endsWith(".ts") && !name.endsWith("/index.ts"));
  const silent = (): void => undefined;
  const logger = { debug: silent, info: silent, warn: silent, error: silent, trace: silent, fatal: silent };
  const levels = ["Debug", "Trace", "Info", "Warn", "Error", "Fatal"].map((level) => [
    `is${level}Enabled`,
    () => false,
  ]);
  const quiet = { ...logger, ...Object.fromEntries(levels) } as never;
  const injector = createInjector()
    .provideValue("getLogger", (() => quiet) as never)
    .provideValue("logger", quiet);
  const instrumenter = injector.injectFunction(createInstrumenter as never) as {
    instrument(
      files: unknown,
      options: unknown,
    ): Promise<{
      mutants: { fileName: string; replacement: string; location: { start: Place; end: Place }; status?: string }[];
    }>;
  };
  const files = sources.map((name) => ({ name, mutate: true, content: readFileSync(join(root, name), "utf8") }));
  const { mutants } = await instrumenter.instrument(files, {
    plugins: null,
    excludedMutations: [],
    ignorers: [],
    mutator: { plugins: null },
  });
  return mutants
    .filter(({ status }) => status === undefined)
    .map(({ fileName, replacement, location }) => ({ file: fileName, replacement, ...location }));
}

/** A part of a list, every part of its size as likely as any other. */
function drawn<T>(list: readonly T[], size: number): T[] {
  let state = seed >>> 0;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const rest = [...list];
  return Array.from({ length: Math.min(size, list.length) }, () => {
    const place = Math.floor(random() * rest.length);
    const [one] = rest.splice(place, 1);
    return one as T;
  });
}

function changed(text: string, { start, end, replacement }: Change): string {
  const lines = text.split("\n");
  const offset = ({ line, column }: Place): number =>
    lines.slice(0, line).reduce((sum, one) => sum + one.length + 1, 0) + column;
  return text.slice(0, offset(start)) + replacement + text.slice(offset(end));
}

/** Whether the tests fail; one that does not end in time was noticed, too. */
function fails(folder: string, tests: readonly string[]): Promise<boolean> {
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const options = ["run", "--config", "vitest.mutate.config.ts", "--bail", "1", "--maxWorkers", "1"];
  const child = spawn(process.execPath, [vitest, ...options, ...tests], { cwd: folder, stdio: "ignore" });
  const timer = setTimeout(() => child.kill("SIGKILL"), testMaxMs);
  return new Promise((done) => {
    child.once("exit", (code) => {
      clearTimeout(timer);
      done(code !== 0);
    });
  });
}

/** The tests of the file first, for most changes are noticed there; then all. */
async function judge(folder: string, change: Change): Promise<Result> {
  const path = join(folder, change.file);
  const text = readFileSync(path, "utf8");
  writeFileSync(path, changed(text, change));
  try {
    const tests = `test/${change.file.split("/")[1] ?? ""}`;
    const stem = basename(change.file, ".ts");
    const own = readdirSync(join(folder, tests)).filter((name) => name.startsWith(stem) && name.endsWith(".test.ts"));
    if (
      own.length > 0 &&
      (await fails(
        folder,
        own.map((name) => `${tests}/${name}`),
      ))
    )
      return "noticed";
    return (await fails(folder, [])) ? "noticed" : "survived";
  } finally {
    writeFileSync(path, text);
  }
}

function copyOf(): string {
  const folder = mkdtempSync(join(tmpdir(), "troupe-mutate-"));
  for (const name of ["src", "test", "scripts", "package.json", "tsconfig.json", "vitest.mutate.config.ts"]) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return folder;
}

/** Wilson's interval of 95 %: what the score of all changes may be, after so many. */
function interval(part: number, of: number): [low: number, high: number] {
  const z = 1.96;
  const p = part / of;
  const middle = p + (z * z) / (2 * of);
  const spread = z * Math.sqrt((p * (1 - p)) / of + (z * z) / (4 * of * of));
  return [(middle - spread) / (1 + (z * z) / of), (middle + spread) / (1 + (z * z) / of)];
}
const percent = (part: number): string => `${(part * 100).toFixed(1)} %`;

const all = await changesOf();
const sample = drawn(all, count);
console.log(`${all.length} changes are possible; ${sample.length} of them, drawn with seed ${seed}, are tried`);
const tally = { noticed: 0, survived: 0 };
let next = 0;
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    const folder = copyOf();
    try {
      if (await fails(folder, [])) throw new Error("the tests fail without any change: there is nothing to measure");
      for (let change = sample[next++]; change !== undefined; change = sample[next++]) {
        const result = await judge(folder, change);
        tally[result] += 1;
        const place = `${change.file}:${change.start.line + 1}`;
        if (result === "survived") console.log(`survived  ${place}  ${change.replacement.slice(0, 80)}`);
        const done = tally.noticed + tally.survived;
        if (done % 20 === 0) console.log(`${done} of ${sample.length}: ${percent(tally.noticed / done)} noticed`);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  }),
);
const tried = tally.noticed + tally.survived;
const [low, high] = interval(tally.noticed, tried);
console.log(
  `${percent(tally.noticed / tried)} noticed (${tally.noticed} of ${tried}); with all of them, 95 times in 100,`,
);
console.log(`it would be between ${percent(low)} and ${percent(high)}`);
process.exitCode = low >= 0.85 ? 0 : 1;
