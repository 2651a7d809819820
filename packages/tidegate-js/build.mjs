// Makes dist/ from src/. `--check` makes nothing, and fails when dist/ is not what the sources give.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const GZIPPED_MAX = 6 * 1024;
/** Members of our own objects, which nobody outside sees: the tag's script is the smaller for short names. */
const OURS =
  /^(admit|afterMs|again|all|answered|arrive|back|begin|brought|byDefault|bytes|changed|consented|crossing|decorate|emit|exclusive|forget|goOn|guarded|hold|isDefault|isEmpty|isSettled|leave|level|look|lost|mayStore|postpone|read|release|reply|saw|sent|settled|start|store|take|tell|told|view|wait)$/;
const here = new URL(".", import.meta.url).pathname;
const common = { absWorkingDir: here, bundle: true, write: false, target: "es2021", charset: "utf8", legalComments: "none" };
const outputs = [
  { file: "dist/tidegate.js", options: { entryPoints: ["src/tag.js"], format: "iife", minify: true, mangleProps: OURS } },
  { file: "dist/tidegate.mjs", options: { entryPoints: ["src/index.js"], format: "esm" } },
];
const check = process.argv.includes("--check");

for (const { file, options } of outputs) {
  const { outputFiles } = await build({ ...common, ...options });
  const made = outputFiles[0].text;
  if (options.minify) {
    const bytes = gzipSync(made, { level: 9 }).length;
    if (bytes > GZIPPED_MAX) fail(`${file} has ${bytes} bytes gzipped, and may have ${GZIPPED_MAX}`);
    console.log(`${file}: ${made.length} bytes, ${bytes} gzipped`);
  }
  if (!check) {
    await mkdir(new URL("dist", import.meta.url), { recursive: true });
    await writeFile(here + file, made);
  } else if (made !== (await readFile(here + file, "utf8").catch(() => ""))) {
    fail(`${file} is not what the sources give`, "run `node build.mjs` and commit dist/");
  }
}

function fail(what, hint) {
  console.error(`error: ${what}${hint ? `\nhint: ${hint}` : ""}`);
  process.exit(1);
}
