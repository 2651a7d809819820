// Chromium for a file's tests, and a page that fails its test when anything was thrown into it.

import { after, before } from "node:test";
import { chromium } from "playwright-core";
import { startGateway } from "./gateway.js";
import { args, executablePath, loaded, tab } from "./page.js";

export { call, loaded, storage, STUB, tab } from "./page.js";

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath, args: [...args, "--host-resolver-rules=MAP *.shop.test 127.0.0.1"] });
});
after(() => browser.close());

/** A gateway and an empty browser. */
export async function stack(t) {
  const gateway = await startGateway(t);
  const context = await browser.newContext();
  t.after(() => context.close());
  return { gateway, context };
}

/**
 * Visits a page with the tag. `attributes` are the tag's; `head` comes before it and `body` after; `headers` are the
 * page's; `clock` makes time stand still until the test moves it.
 */
export async function visit(t, { attributes = "", head = "", body = "", headers, host, path = "/", tag, clock, over } = {}) {
  const { gateway, context } = over ?? (await stack(t));
  const page = await tab(t, context);
  if (clock) await still(page);
  gateway.page(path.split("?")[0], `<html><head>${head}${tag ?? gateway.tag(attributes)}<title>Shop</title></head><body>${body}</body></html>`, headers);
  await page.goto(gateway.url(path, host));
  await loaded(page);
  return { page, gateway, context };
}

export async function still(page) {
  await page.clock.install({ time: Date.now() - 1_000 });
  await page.clock.pauseAt(Date.now());
}

/** Waits for a line of the console, unless there has been one. */
export const line = async (page, text) =>
  page.lines.some((line) => line.includes(text)) || page.waitForEvent("console", (message) => message.text().includes(text));
/** The page that a test left for is there: Chromium may hang for ever when it is closed on the way to one. */
export const arrived = (page, path) => page.waitForURL((url) => url.href.endsWith(path));
/** All that the snippet does by itself has been done: its timers are short. */
export const quiet = (page) => page.clock.runFor(2_000);
