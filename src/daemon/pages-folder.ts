// Where the built pages are: beside the source they are in `dist`, and in the package beside the code.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** From the file of the command; nothing, if they are not built. */
export const pagesFolder = (from: URL): string | undefined =>
  ["./pages", "../pages", "../../dist/pages"]
    .map((place) => fileURLToPath(new URL(place, from)))
    .find((folder) => existsSync(`${folder}/index.html`));
