// The version of this package, read from its manifest, which lies one folder up from src and from dist alike.

import { createRequire } from "node:module";

const manifest = createRequire(import.meta.url)("../package.json") as { readonly version: string };

export const version: string = manifest.version;
