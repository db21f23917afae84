// The public door of the package: what a user may import from "troupe", one name per line.

export { version } from "./version.ts";
