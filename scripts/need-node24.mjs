// Stops an npm script that would run on too old a Node, and says what to do; plain JavaScript for that reason.
// npm puts node_modules/.bin first on the path, so this runs on the repository's own Node whenever it is there.

const [major, minor] = process.version.slice(1).split(".").map(Number);
if (major < 24 || (major === 24 && minor < 15)) {
  console.error(
    `This needs Node 24.15 or newer and found ${process.version}: run \`npm ci\`, which brings one, or ` +
      "`npm rebuild node --ignore-scripts=false` if npm was told to run no install scripts, " +
      "or put a newer Node on the PATH.",
  );
  process.exit(1);
}
