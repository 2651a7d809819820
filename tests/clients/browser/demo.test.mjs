// The demo's shop has the tag of any shop, and shows what its script sent and what the gateway answered.

import assert from "node:assert";
import { test } from "node:test";
import { buyLantern, cards, startDemo } from "./demo.mjs";
import { emptyBrowser, tab } from "./stack.mjs";
import { until } from "./until.mjs";

test("a purchase in the demo's shop is told by the tag, shown with its answer, and found in the dashboard", async (t) => {
  const demo = await startDemo(t);
  const context = await emptyBrowser(t);
  const page = await tab(t, context);
  await buyLantern(page, demo);
  const named = async () => Object.fromEntries((await cards(page)).reverse().map(([name, ...said]) => [name, said]));
  const said = async () => `an answer to the purchase: ${JSON.stringify(await named())}`;
  await until(said, async () => (await named()).purchase?.[0] !== "sending …");
  const shown = await named();
  for (const name of ["page_view", "view_item", "add_to_cart", "view_cart", "begin_checkout", "identify", "purchase"]) {
    assert.deepEqual(shown[name], ["accepted · 200", "consent: marketing"], name);
  }
  const names = async () => (await context.cookies()).map(({ name }) => name);
  for (const name of ["tg_vid", "tg_consent", "_fbc", "_fbp", "_gcl_aw", "_ga", "_ttp"]) assert.ok((await names()).includes(name), name);

  const dashboard = await tab(t, context);
  await dashboard.goto(await page.getAttribute("#way", "href"));
  await dashboard.waitForSelector("#trace header >> text=purchase");
  await page.bringToFront();

  await page.click("label:has(input[value=none])");
  await until("only the refusal", async () => (await names()).join() === "tg_consent");
  await until("its answer", async () => (await cards(page))[0].join() === "consent_updated,accepted · 200,consent: none");
  const refused = page.lines.filter((line) => /Content.Security.Policy|Refused to/i.test(line));
  assert.deepEqual(refused, [], "nothing breaks the page's policy");
});
