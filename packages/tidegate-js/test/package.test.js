import assert from "node:assert";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, after, test } from "node:test";
import { build } from "esbuild";
import { stack, tab } from "./browser.js";

const root = new URL("..", import.meta.url).pathname;
const project = mkdtempSync("/tmp/tidegate-js-");
const node = (args, cwd = root) => execFileSync(process.execPath, args, { cwd, encoding: "utf8", stdio: "pipe" });

/** A project that has installed what npm would pack. */
before(() => {
  const packed = join(project, "node_modules/tidegate-js");
  mkdirSync(packed, { recursive: true });
  for (const file of ["dist", "package.json", "tidegate.d.ts"]) cpSync(join(root, file), join(packed, file), { recursive: true });
  writeFileSync(join(project, "package.json"), `{ "type": "module" }`);
});
after(() => rmSync(project, { recursive: true }));

test("dist is what the sources give, and at most 6 KB", () => {
  assert.match(node(["build.mjs", "--check"]), /gzipped/);
});

test("the types compile, and refuse what is wrong", () => {
  const sample = `
    import { init, type Tidegate } from "tidegate-js";
    const tidegate: Tidegate = init({ key: "k", endpoint: "https://track.shop.example/v1/events", domains: ["b.example"], layer: false, consent: "wait" });
    const id: string | undefined = tidegate("track", "purchase", { value: 1.5, currency: "EUR", items: [{ item_id: "S1" }] }, { id: "1" });
    tidegate("track", "My own", { anything: [1, id] });
    tidegate("page");
    tidegate("identify", "c1", { email: "a@shop.example", plan: "gold" });
    tidegate("consent", { analytics: true, marketing: false });
    tidegate("consent", "none");
    tidegate("reset");
    window.tidegate?.("track", "add_to_cart");
    console.log(tidegate.lastEventId);
    // @ts-expect-error a value is a number
    tidegate("track", "purchase", { value: "1.5" });
    // @ts-expect-error there is no such level
    tidegate("consent", "granted");
    // @ts-expect-error a key is needed
    init({ endpoint: "/v1/events" });
  `;
  writeFileSync(join(project, "sample.ts"), sample);
  const options = "--noEmit --strict --module esnext --moduleResolution bundler --target es2021 --lib es2021,dom".split(" ");
  node([join(root, "node_modules/typescript/bin/tsc"), ...options, "sample.ts"], project);
});

test("bundled from the package it works like the tag, without a global", async (t) => {
  const { gateway, context } = await stack(t);
  writeFileSync(join(project, "app.js"), `
    import { init } from "tidegate-js";
    const tidegate = init({ key: "demo-write-key", endpoint: "${gateway.url("/v1/events", "track.shop.localhost")}" });
    tidegate("consent", "marketing");
    tidegate("track", "purchase", { value: 2 }, { id: "p1" });
  `);
  const { outputFiles } = await build({ absWorkingDir: project, entryPoints: ["app.js"], bundle: true, write: false, minify: true });
  const page = await tab(t, context);
  gateway.page("/", `<html><head><title>App</title></head><body><script>${outputFiles[0].text}</script></body></html>`);
  await page.goto(gateway.url("/"));
  const purchase = await gateway.event("purchase");
  assert.deepEqual([purchase.message_id, purchase.consent, gateway.named("page_view").length], ["p1", "marketing", 1]);
  assert.equal(await page.evaluate(() => "tidegate" in window), false);
});

test("on a server it does nothing", () => {
  writeFileSync(join(project, "server.js"), `import { init } from "tidegate-js"; console.log(init({ key: "k", endpoint: "/" })("track", "One"))`);
  assert.equal(node(["server.js"], project), "undefined\n");
});
