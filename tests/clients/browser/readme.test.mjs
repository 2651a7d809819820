// The README as its reader tries it: the configuration and the tag that stand there, and a page of another port that has nothing
// but the tag.

import assert from "node:assert";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { test } from "node:test";
import { PLUGIN_CACHE, runGateway } from "./gateway.mjs";
import { jar } from "./jar.mjs";
import { answered, call, emptyBrowser, tab } from "./stack.mjs";

const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
const block = (language, having) => {
  const blocks = readme.split("```" + language + "\n").slice(1).map((rest) => rest.split("```")[0]);
  return blocks.find((text) => text.includes(having));
};

/** A page with this tag, on a port of its own. */
async function startPage(t, tag) {
  const html = () => `<!doctype html><title>A page</title>${tag()}`;
  const server = createServer((request, response) => response.writeHead(200, { "content-type": "text/html" }).end(html()));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => (server.close(), server.closeAllConnections()));
  return server.address().port;
}

test("a page with the README's tag is counted by a gateway with the README's configuration", async (t) => {
  let gateway;
  const port = await startPage(t, () => block("html", "data-key").replace("localhost:8080", `localhost:${gateway.port}`));
  const config = block("toml", "[listen]").replace(/127\.0\.0\.1:\d+/g, "127.0.0.1:0").replace("localhost:3000", `localhost:${port}`);
  const [, made] = /^mkdir -p (\w+)/m.exec(readme);
  gateway = await runGateway(t, `${config}\n[plugins]\ncache = "${PLUGIN_CACHE}"\n`, [made]);

  const context = await emptyBrowser(t);
  const page = await tab(t, context);
  const [answer] = await Promise.all([answered(page, "page_view"), page.goto(`http://localhost:${port}/`)]);
  assert.equal(answer.status(), 200);
  const [{ message_id }] = JSON.parse(answer.request().postData()).events;
  const { name, consent } = await gateway.trace(message_id);
  assert.deepEqual([name, consent.level], ["page_view", "none"]);
  assert.deepEqual(await jar(context), {}, "before consent it writes nothing to the browser");
  const told = answered(page, "consent_updated");
  await call(page, "consent", "analytics");
  assert.equal((await told).status(), 200);
  const names = (await context.cookies()).map(({ name, domain }) => `${name} of ${domain}`).sort();
  assert.deepEqual(names, ["tg_consent of localhost", "tg_vid of localhost"], "the browser keeps them: page and gateway are one site");
});
