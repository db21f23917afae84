// Goal: what is generated for people and for other languages is fresh and hangs together. Method: the generators
// compared with the files, planted faults, and every heading and link of the pages read.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { defects, documents, write } from "../../scripts/docs.ts";
import { keys } from "../../src/protocol/catalogue.ts";
import { errors } from "../../src/protocol/errors.ts";
import { root } from "../kit/tree.ts";

const published = await documents();
const textOf = (path: string): string => published.find((document) => document.path === path)?.text ?? "";
const folder = mkdtempSync(join(tmpdir(), "troupe-documents-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("the documents", () => {
  test("they are as the code has them: `npm run docs` would change nothing", () => {
    expect(defects(root, published)).toEqual([]);
  });

  test("they come out the same every time", async () => {
    expect(await documents()).toEqual(published);
  });

  test("a missing, a stale and a surplus one are each named, and written or removed", () => {
    const wanted = ["docs/a.md", "docs/b.md", "docs/parts/c.json"].map((path) => ({
      path,
      text: `${path}\n`,
    }));
    expect(defects(folder, wanted)).toEqual(wanted.map(({ path }) => `missing ${path}`));
    write(folder, wanted);
    expect(defects(folder, wanted)).toEqual([]);
    writeFileSync(join(folder, "docs/b.md"), "edited by hand\n");
    writeFileSync(join(folder, "docs/parts/gone.json"), "{}\n");
    writeFileSync(join(folder, "docs/by-hand.md"), "not ours\n");
    expect(defects(folder, wanted)).toEqual(["stale docs/b.md", "surplus docs/parts/gone.json"]);
    write(folder, wanted);
    expect(defects(folder, wanted)).toEqual([]);
  });
});

describe("the documents for people", () => {
  test("every error code and every message has its heading", () => {
    const headings = (path: string): string[] =>
      [...textOf(path).matchAll(/^##+ (\S+)$/gm)].map(([, name = ""]) => name);
    expect(headings("docs/errors.md")).toEqual(Object.keys(errors));
    expect(headings("docs/protocol.md")).toEqual(expect.arrayContaining([...keys]));
  });

  test("every link leads to a document, and to a heading in it", () => {
    // As GitHub makes them.
    const anchorOf = (heading: string): string =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w -]/g, "")
        .replaceAll(" ", "-");
    const anchors = (path: string): string[] =>
      [...textOf(path).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading));
    const pages = published.map(({ path }) => path).filter((path) => path.endsWith(".md"));
    const broken = pages.flatMap((page) =>
      [...textOf(page).matchAll(/\]\(([^)#]*)(?:#([^)]*))?\)/g)].flatMap(([link, target = "", anchor]) => {
        const path = target === "" ? page : join(dirname(page), target);
        // Some are written by hand.
        const isThere =
          published.some((document) => document.path === path || dirname(document.path) === path) ||
          existsSync(join(root, path));
        const leads = isThere && (anchor === undefined || anchors(path).includes(anchor));
        return leads ? [] : [`${page}: ${link}`];
      }),
    );
    expect(broken).toEqual([]);
  });
});
