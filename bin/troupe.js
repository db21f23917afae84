#!/usr/bin/env node
// Asks for the right Node before anything else is read, in a JavaScript that every old Node can parse.

var parts = process.version.slice(1).split(".");
var major = Number(parts[0]);
if (major > 24 || (major === 24 && Number(parts[1]) >= 15)) {
  if (process.argv[2] === "up") keepHeapSmall();
  // What was compiled once is read the next time.
  process.getBuiltinModule("module").enableCompileCache();
  // A repository has src and the published package has not; a dist beside src may be stale. import() is in a
  // string because an old Node refuses the whole file over the word.
  eval("import('../src/cli/main.ts')").catch(function (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND" || !/\/src\/cli\/main\.ts$/.test(error.url)) throw error;
    return eval("import('../dist/cli/main.js')");
  });
} else {
  process.exitCode = 2;
  // The same for fs: a module has no require(), and an old Node, which takes this for none, no import().
  if (typeof module === "object") advise(eval("require('fs')"));
  else eval("import('fs')").then(advise);
}

// Left to itself Node takes what memory there is before it looks for garbage, and what it is told of that it reads
// once, at its start. So the daemon starts again as the same process, 30 ms later, unless it was told something.
function keepHeapSmall() {
  var told = process.execArgv.concat(process.env.NODE_OPTIONS || "").join(" ");
  // Windows has no way to do so.
  if (!process.execve || /semi-space|heap-growing|optimize-for-size/.test(told)) return;
  var flags = ["--max-semi-space-size=32", "--heap-growing-percent=50"];
  process.execve(process.execPath, [process.execPath].concat(flags, process.execArgv, process.argv.slice(1)));
}

// A repository brings its own Node with its packages; where troupe is installed, npx has to bring one.
function advise(fs) {
  var root = fs.realpathSync(process.argv[1]).replace(/[^\\/]+[\\/][^\\/]+$/, "");
  var isRepository = fs.existsSync(root + "src/cli/main.ts");
  var npx = isRepository ? "npm ci && npx troupe" : "npx -p node@24 -p troupe troupe";
  console.error("troupe needs Node 24.15 or newer, and this is " + process.version + ".");
  var again = [npx].concat(process.argv.slice(2)).join(" ");
  console.error("Run `" + again + "`, or install a newer Node from https://nodejs.org.");
}
