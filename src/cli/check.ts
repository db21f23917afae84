// The command `troupe check`: plays a workflow under every kind of failure and prints what is wrong with it.

import { accessSync, constants, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { problemText } from "../language/problems.ts";
import { exits, TroupeError } from "../protocol/errors.ts";
import { nearest } from "../protocol/nearest.ts";
import type { FaultKind, Judge, Played, Progress } from "../testing/check/trial.ts";
import type { Company } from "../testing/check/cast.ts";
import type { Loaded } from "../testing/findings/load.ts";
import type { Checked, Told } from "../testing/report/checked.ts";
import { type Asked, findingText, type Look, reportText, shellWord } from "../testing/report/text.ts";
import { countOf, gathered, msOf } from "./given.ts";
import { openScreen, type Terminal } from "./screen.ts";
import { bold, dim, inStatus, jsonText, print, printRaw, remark } from "./words.ts";

type Options = {
  config?: string;
  beside?: string[];
  runs: string;
  seed: string;
  time: string;
  faults?: string;
  expect?: string[];
  agents?: string;
  fromHistory?: string;
  token?: string;
  replay?: string;
  out?: string;
  json?: true;
  junit?: string;
};

const runsMax = 10_000_000;
const seedMax = 4_294_967_295;

export const check = (program: Command): void =>
  void program
    .command("check")
    .description("Play a workflow under every kind of failure, in virtual time, and say what is wrong with it.")
    .argument("<file|workflow>", "a workflow file, YAML or TypeScript; or the id of a workflow of the project here")
    .option("--config <folder>", "the project that it belongs to, if not the one that it stands in")
    .option("--beside <file>", "a workflow that it calls and that is in no project; as often as needed", gathered)
    .option("--runs <count>", "how many runs at most", "5000")
    .option("--seed <number>", "another seed, another search; the same seed, the same report", "1")
    .option("--time <duration>", "how long at most; a search that this cuts off says so", "60s")
    .option("--faults <kinds>", "only these kinds of faults, such as fails,hangs,crash")
    .option("--expect <expression>", "CEL that must be true of every run, such as \"status == 'SUCCESS'\"", gathered)
    .option("--agents <file>", "what agents and tools answer: YAML, JSON, or a module of functions")
    .option("--from-history <source>", "inputs of real runs: a folder of exported runs, or the address of a daemon")
    .option("--token <token>", "a token for that daemon")
    .option("--replay <path>", "play one trial again, as a finding names it")
    .option("--out <folder>", "where each finding is written: a page, and a recording for troupe import")
    .option("--json", "one JSON document")
    .option("--junit <file>", "where a report in JUnit's XML is written")
    .addHelpText("after", "\nExit codes: 0 nothing was found, 1 an error or a warning was found, 2 wrong usage.")
    .action(checkOne);

async function checkOne(given: string, options: Options): Promise<void> {
  const loaded = await loadedFor(given, options);
  const { expecting } = await import("../testing/findings/expectation.ts");
  const expected = (options.expect ?? []).map(expecting);
  const command = commandOf(given, options);
  // What cannot be written is known before anybody waits for it.
  for (const file of [options.out && join(options.out, "page.md"), options.junit]) if (file) makeRoomFor(file);
  if (options.replay !== undefined) return replayOne(loaded, options.replay, expected, command, options);
  const { checked, isBad } = await import("../testing/report/checked.ts");
  const wanted = {
    seed: options.seed === "0" ? 0 : countOf(options.seed, "--seed", seedMax),
    runs: countOf(options.runs, "--runs", runsMax),
    timeMs: msOf(options.time, "--time"),
    expected,
    ...(options.faults !== undefined && { faults: await faultsIn(options.faults) }),
    ...(options.fromHistory !== undefined && { inputs: await inputsOf(loaded, options.fromHistory, options.token) }),
  };
  const telling = openTelling(options);
  const result = await checked(loaded, wanted, telling.tell).finally(telling.end);
  const files = options.out === undefined ? undefined : await written(result, loaded, options.out, command);
  if (options.junit !== undefined) {
    save(options.junit, (await import("../testing/report/junit.ts")).junitOf([result]));
  }
  if (options.json) printRaw(jsonText({ ...result, findings: result.findings.map((one) => withFile(one, files)) }));
  else print(reportText(result, asking(command, files), look));
  if (result.findings.some(isBad)) process.exitCode = exits.failed;
}

// ── what is checked ──

async function loadedFor(given: string, { config, beside, agents }: Options): Promise<Loaded> {
  const { loadChecked } = await import("../testing/findings/load.ts");
  const loaded = await loadChecked(given, process.cwd(), {
    ...(config !== undefined && { config }),
    ...(beside !== undefined && { beside }),
  });
  for (const problem of loaded.problems) remark(problemText(problem, loaded.texts.get(problem.file)));
  if (!loaded.subject && loaded.flaws.length === 0) {
    const message = `'${given}' cannot be checked: it does not load`;
    throw new TroupeError("DEFINITION_INVALID", message, { workflow: loaded.workflow });
  }
  if (agents === undefined) return loaded;
  const [{ scriptsIn }, { withScripts }] = await Promise.all([
    import("./check-inputs.ts"),
    import("../testing/findings/stand-ins.ts"),
  ]);
  return withScripts(loaded, await scriptsIn(agents), agents);
}

async function faultsIn(given: string): Promise<FaultKind[]> {
  const { allKinds } = await import("../testing/check/faults.ts");
  return given.split(",").map((name) => {
    const kind = allKinds.find((one) => one === name.trim());
    if (kind) return kind;
    const guess = nearest(name, allKinds);
    const hint = guess === undefined ? `there are ${allKinds.join(", ")}` : `did you mean '${guess}'?`;
    throw new TroupeError("VALIDATION_FAILED", `--faults: '${name}' is no kind of fault; ${hint}`, { given });
  });
}

const inputsOf = async ({ workflow }: Loaded, source: string, token: string | undefined): Promise<unknown[]> =>
  (await import("./check-inputs.ts")).inputsFrom(source, workflow, token);

/** What has to be typed for the same again, but for the trial. */
function commandOf(given: string, { config, beside = [], agents, expect = [], seed }: Options): string {
  const parts = [
    ...(config === undefined ? [] : ["--config", config]),
    ...beside.flatMap((file) => ["--beside", file]),
    ...(agents === undefined ? [] : ["--agents", agents]),
    ...expect.flatMap((one) => ["--expect", one]),
  ];
  return `troupe check ${[given, ...parts].map(shellWord).join(" ")}${seed === "1" ? "" : ` --seed ${seed}`}`;
}

// ── what is told ──

const look: Look = {
  bold,
  dim,
  mark: (severity) =>
    severity === "error" ? inStatus("FAILED", "✖") : severity === "warning" ? inStatus("PAUSED", "▲") : dim("·"),
};

/** A line that is redrawn on a terminal, else one now and then; beside the output, which is the report. */
function openTelling({ json }: Options, terminal: Terminal = process.stderr) {
  const screen = !json && terminal.isTTY === true ? openScreen(terminal) : undefined;
  let part = "";
  return {
    tell({ runs, part: now, transitions, faults, findings }: Progress): void {
      const ways = `${transitions.taken} of ${transitions.of} ways`;
      const line = `${runs} runs, ${ways}, ${faults} faults, ${findings} found: ${now}`;
      if (screen) screen.draw([line]);
      else if (!json && now !== part) remark(line);
      part = now;
    },
    end: (): void => screen?.clear(),
  };
}

const asking = (command: string, files: ReadonlyMap<Told, string> | undefined): Asked => ({
  command,
  ...(files && { files }),
});

const withFile = (finding: Told, files: ReadonlyMap<Told, string> | undefined): object => {
  const file = files?.get(finding);
  return file === undefined ? finding : { ...finding, file };
};

// ── what is written ──

/** A page of each finding, and a recording of each that a run shows. Gives the recordings. */
async function written(
  { findings }: Checked,
  loaded: Loaded,
  folder: string,
  command: string,
): Promise<ReadonlyMap<Told, string>> {
  const [{ fileNameOf, pageOf }, { replayed }] = await Promise.all([
    import("../testing/report/page.ts"),
    import("../testing/report/checked.ts"),
  ]);
  const files = new Map<Told, string>();
  for (const [index, finding] of findings.entries()) {
    const name = fileNameOf(finding, index);
    save(join(folder, `${name}.md`), pageOf(finding, { command }));
    if (!finding.shown) continue;
    const { played, company } = await replayed(loaded, finding.shown.replay);
    const file = join(folder, `${name}.json`);
    save(file, await recordingText(played, company));
    files.set(finding, file);
  }
  return files;
}

const recordingText = async (played: Played, company: Company): Promise<string> =>
  `${JSON.stringify(await (await import("../testing/report/recording.ts")).recordingOf(played, company))}\n`;

const makeRoomFor = (path: string): void =>
  reporting(path, () => {
    mkdirSync(dirname(path), { recursive: true });
    accessSync(dirname(path), constants.W_OK);
  });
const save = (path: string, text: string): void => reporting(path, () => writeFileSync(path, text));

function reporting(path: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    const { message } = error as NodeJS.ErrnoException;
    throw new TroupeError("VALIDATION_FAILED", `cannot write the report: ${message}`, { path }, { cause: error });
  }
}

// ── one trial again ──

async function replayOne(
  loaded: Loaded,
  path: string,
  expected: readonly Judge[],
  command: string,
  { json, out }: Options,
): Promise<void> {
  const { isBad, replayed } = await import("../testing/report/checked.ts");
  const { played, company, findings, story, diagram } = await replayed(loaded, path, expected);
  const file = out === undefined ? undefined : join(out, `replay-${loaded.workflow}.json`);
  if (file !== undefined) save(file, await recordingText(played, company));
  if (json)
    printRaw(
      jsonText({
        workflow: loaded.workflow,
        status: played.status,
        story,
        diagram,
        unmet: played.unmet,
        findings,
        ...(file && { file }),
      }),
    );
  else {
    const found = findings.map((one) => findingText(one, { command }, look));
    const opened = file === undefined ? [] : [`look: troupe import ${file}`];
    const says = findings.length === 0 ? ["Nothing is wrong with this run."] : found;
    const vain = played.unmet.map(({ what, why }) => `${typeof what === "string" ? what : what.do} never came: ${why}`);
    print([story.join("\n"), dim(diagram), ...vain, ...says, ...opened].join("\n\n"));
  }
  if (findings.some(isBad)) process.exitCode = exits.failed;
}
