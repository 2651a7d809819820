// Takes the README's pictures of the demo: cargo build -p tidegate-demo && node tests/clients/browser/screenshots.mjs

import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { args, executablePath } from "../../../packages/tidegate-js/test/page.js";
import { buyLantern, cards, startDemo } from "./demo.mjs";
import { until } from "./until.mjs";

const IMAGES = fileURLToPath(new URL("../../../docs/images/", import.meta.url));
const ends = [];
const t = { after: (end) => ends.unshift(end) };

try {
  const demo = await startDemo(t);
  const browser = await chromium.launch({ executablePath, args });
  t.after(() => browser.close());
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB" });
  const page = await context.newPage();
  await buyLantern(page, demo);
  await until("all answers", async () => (await cards(page)).every(([, state]) => state !== "sending …"));
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: `${IMAGES}shop.png` });

  const dashboard = await context.newPage();
  await dashboard.goto(await page.getAttribute("#way", "href"));
  await dashboard.waitForSelector("#trace header >> text=delivered");
  await dashboard.screenshot({ path: `${IMAGES}dashboard.png` });
} finally {
  for (const end of ends) await end();
}
