// README speaks the truth: its commands run, its TypeScript compiles and runs, and every link of the documents leads
// to a file.
//
// Method: ```sh and ```ts blocks are taken out of the text and executed. A command that is of no known form fails,
// so nobody can write one that no test has tried.

import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { emptyFolder, up } from "./kit/daemon.ts";
import { doors, manifest, root, treeOf, type Tree } from "./kit/tree.ts";
import { run, troupe, type Ended } from "./kit/troupe.ts";

const readme = treeOf("README.md").get("README.md") ?? "";

const blocksOf = (markdown: string, language: string): string[] =>
  [...markdown.matchAll(/^```(\w*)[^\n]*\n([^]*?)^```$/gm)].flatMap(([, tag, body = ""]) =>
    tag === language ? [body] : [],
  );

/** Each command of the sh blocks: without prompt and comment, continued lines joined, `a && b` as two. */
const commandsOf = (markdown: string): string[] =>
  blocksOf(markdown, "sh")
    .flatMap((block) => block.replaceAll("\\\n", " ").split(/\n|&&/))
    .map((line) =>
      line
        .replace(/^\s*(?:\$ )?/, "")
        .replace(/(?:^|\s+)#.*$/, "")
        .trim(),
    )
    .filter((line) => line !== "");

type Proof =
  | { readonly command: "troupe"; readonly args: string[] }
  | { readonly daemon: string[] }
  | { readonly script: string }
  | "known";

/**
 * How a command is proven: by running it, by a daemon that comes up, by the script it names, or not here; undefined
 * when nobody knows.
 */
function proofOf(command: string): Proof | undefined {
  // What it does to a machine cannot be done inside a test; .ci/run begins with the first and ends with the second.
  if (/^(?:npm ci|npm (?:install|i) troupe|git clone \S+|cd \S+)$/.test(command)) return "known";
  // What is killed, and comes back, is in test/daemon.
  if (/^kill -9 "\$\(node -p "require\('\.\/\.troupe\/ready\.json'\)\.pid"\)"$/.test(command)) return "known";
  if (command === "npm start") return proofOf(manifest.scripts["start"] ?? "");
  const script = /^npm (?:run )?([\w:-]+)(?: -- .*)?$/.exec(command)?.[1];
  if (script !== undefined) return { script };
  const rest = /^(?:node bin\/troupe\.js|npx troupe|npx -p node@24 -p troupe troupe|troupe)(?: ([^|<>&;]*))?$/.exec(
    command,
  );
  if (rest === null) return undefined;
  const args = [...(rest[1] ?? "").matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)];
  const given = args.map(([, double, single, bare]) => double ?? single ?? bare ?? "");
  return given[0] === "up" ? { daemon: given.slice(1) } : { command: "troupe", args: given };
}

/** What it runs it runs on the daemon that `npm start` brings up; without the time that its steps take. */
async function runsOnDaemon(args: readonly string[]): Promise<void> {
  const daemon = up(["--config", "examples/troupe.yaml", "--data-dir", join(emptyFolder(), "data")]);
  const { http } = await daemon.ready;
  const ended = troupe(...args, "--input", '{"seconds":0}', "--url", http);
  daemon.child.kill("SIGTERM");
  expect(ended).toMatchObject({ exit: 0, stdout: expect.stringContaining("SUCCESS") });
  expect(await daemon.ended).toMatchObject({ code: 0 });
}

describe("the commands of README", () => {
  test("there are some, and installing and testing are among them", () => {
    expect(commandsOf(readme)).toEqual(expect.arrayContaining(["npm ci", "npm test"]));
  });

  test.each([...new Set(commandsOf(readme))])("%s", async (command) => {
    const proof = proofOf(command);
    expect(proof, "a test must know how to prove this command").toBeDefined();
    if (proof === undefined || proof === "known") return;
    if ("script" in proof) return expect(Object.keys(manifest.scripts)).toContain(proof.script);
    if ("daemon" in proof) {
      // Where it listens and keeps things must not be where somebody's own daemon does.
      const daemon = up([...proof.daemon, "--data-dir", join(emptyFolder(), "data")]);
      await daemon.ready;
      daemon.child.kill("SIGTERM");
      return expect(await daemon.ended).toMatchObject({ code: 0 });
    }
    if (proof.args[0] === "run") return runsOnDaemon(proof.args);
    const ended = troupe(...proof.args);
    expect(ended).toMatchObject({ exit: 0, stdout: expect.stringMatching(/\S/) });
  });

  test("are read as a shell reads them", () => {
    const markdown = "```sh\n# first\n$ npm ci && npm test   # all of it\nnode bin/troupe.js \\\n  --version\n```\n";
    expect(commandsOf(`${markdown}\n\`\`\`json\n{}\n\`\`\`\n`)).toEqual([
      "npm ci",
      "npm test",
      "node bin/troupe.js    --version",
    ]);
    expect(proofOf("npx troupe run 'two words' --a=b")).toEqual({
      command: "troupe",
      args: ["run", "two words", "--a=b"],
    });
    expect(proofOf("npm run docs")).toEqual({ script: "docs" });
    expect(proofOf("npm start")).toEqual({ daemon: ["--config", "examples/troupe.yaml"] });
  });

  test.each(["rm -rf dist", "troupe up | head", "troupe up &", "npm install left-pad"])("%s is refused", (command) => {
    expect(proofOf(command)).toBeUndefined();
  });
});

// Each block becomes a module in an empty folder, which sees the package's doors as a user does, but from their
// sources, because nothing is built here.
describe("the TypeScript of README", () => {
  const blocks = blocksOf(readme, "ts");
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "readme-"));
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const compile = (sources: readonly string[]): Ended => {
    const files = sources.map((_, index) => `block-${index + 1}.mts`);
    files.forEach((file, index) => writeFileSync(join(folder, file), sources[index] ?? ""));
    const compilerOptions = {
      noUnusedLocals: false, // An example may stop where the reader goes on.
      paths: Object.fromEntries(doors.map(({ name, source }) => [name, [join(root, source)]])),
    };
    const config = { extends: join(root, "tsconfig.json"), compilerOptions, include: [], files };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    return run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", folder]);
  };

  const execute = (source: string): Ended => {
    const file = join(folder, "run.mts");
    writeFileSync(file, source);
    const urlOf = (path: string): string => pathToFileURL(join(root, path)).href;
    const sources = Object.fromEntries(doors.map((door) => [door.name, urlOf(door.source)]));
    const hook = `
      import { registerHooks } from "node:module";
      const sources = ${JSON.stringify(sources)};
      registerHooks({ resolve: (specifier, context, next) => next(sources[specifier] ?? specifier, context) });`;
    return run(process.execPath, ["--import", `data:text/javascript,${encodeURIComponent(hook)}`, file], folder);
  };

  test.skipIf(blocks.length === 0)("compiles", () => {
    expect(compile(blocks)).toEqual({ exit: 0, stdout: "", stderr: "" });
  });

  test.each(blocks)("block %# runs", (block) => {
    expect(execute(block)).toMatchObject({ exit: 0, stderr: "" });
  });

  test("would not compile with a wrong type, nor run with a wrong name", () => {
    const right = 'import { version } from "troupe";\nconst text: string = version;\nconsole.log(text);\n';
    const complaints = compile([right, right.replace("string", "number")]).stdout;
    expect(complaints).toContain("block-2.mts(2,7): error TS2322");
    expect(complaints).not.toContain("block-1.mts");
    expect(execute(right)).toEqual({ exit: 0, stdout: `${manifest.version}\n`, stderr: "" });
    expect(execute(right.replace("{ version }", "{ vision as version }")).exit).toBe(1);
  });
});

describe("the links of the documents", () => {
  const brokenLinksOf = (documents: Tree): string[] =>
    [...documents].flatMap(([path, text]) => {
      const prose = text.replace(/^```[^]*?^```$/gm, "").replace(/`[^`\n]*`/g, "");
      return [...prose.matchAll(/\]\(<?([^)>\s]+)>?(?:\s+"[^"]*")?\)/g)]
        .map(([, target = ""]) => target.replace(/#.*$/, ""))
        .filter((target) => target !== "" && !/^[a-z]+:/.test(target))
        .filter((target) => !existsSync(join(root, posix.dirname(path), decodeURIComponent(target))))
        .map((target) => `${path}: ${target}`);
    });

  test("lead to files that exist", () => {
    const documents = treeOf("*.md", "docs/**/*.md");
    expect(documents.size).toBeGreaterThan(0);
    expect(brokenLinksOf(documents)).toEqual([]);
  });

  test("would be missed if they did not", () => {
    const text =
      "[a](README-none.md) [b](../LICENSE#top) ![c](none.svg) [d](https://nodejs.org) [e](#here) `[f](none)`";
    expect(brokenLinksOf(new Map([["docs/a.md", text]]))).toEqual(["docs/a.md: README-none.md", "docs/a.md: none.svg"]);
  });
});
