// Puts the published JavaScript into few files: reading two hundred modules takes longer than the first workflow.
//
// The compiler has made the declarations; each door of the package becomes one file beside its own, and what they share
// stands in files of the folder above. Packages stay packages, but zod, of which a tenth is used, comes along.

import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: Record<string, string | { default: string }>;
};
const doors = Object.values(exports).flatMap((door) =>
  typeof door === "string" ? [] : [door.default.replace(/^\.\/dist\/|\.js$/g, "")],
);
const entries = [...doors, "cli/main"].map((name) => [name, join(root, "src", `${name}.ts`)]);
// Looked for beside the file that starts it.
entries.push(["sqlite-worker", join(root, "src/store/sqlite-worker.ts")]);

const bundle = await rolldown({
  input: Object.fromEntries(entries),
  platform: "node",
  external: (id) => !id.startsWith(".") && !id.startsWith("/") && id !== "zod" && !id.startsWith("zod/"),
});
const { output } = await bundle.write({
  dir: join(root, "dist"),
  format: "esm",
  // What asks for its own place, for the manifest or the writer's thread, is shared: it stands in this folder itself.
  entryFileNames: "[name].js",
  chunkFileNames: "[name]-[hash].js",
});
await bundle.close();
copyFileSync(join(root, "node_modules/zod/LICENSE"), join(root, "dist", "LICENSE.zod"));
console.log(`${output.length} files of JavaScript for ${entries.length} entries`);
