#!/usr/bin/env node
// Asks for the right Node before anything else is read, in a JavaScript that every old Node can parse.

var parts = process.version.slice(1).split(".");
var major = Number(parts[0]);
if (major > 24 || (major === 24 && Number(parts[1]) >= 15)) {
  // A repository has src and the published package has not; a dist beside src may be stale. import() is in a
  // string because an old Node refuses the whole file over the word.
  eval("import('../src/cli/main.ts')").catch(function (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND" || !/\/src\/cli\/main\.ts$/.test(error.url)) throw error;
    return eval("import('../dist/cli/main.js')");
  });
} else {
  var again = ["npx -p node@24 -p troupe troupe"].concat(process.argv.slice(2)).join(" ");
  console.error("troupe needs Node 24.15 or newer, and this is " + process.version + ".");
  console.error("Run `" + again + "`, or install a newer Node from https://nodejs.org.");
  process.exitCode = 2;
}
