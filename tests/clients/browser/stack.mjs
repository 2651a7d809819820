// Chromium for a file's tests, and for each of them a shop, a gateway, platforms to deliver to, and an empty browser.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { chromium } from "playwright-core";
import { args, executablePath, loaded, tab } from "../../../packages/tidegate-js/test/page.js";
import { makeCertificate } from "./certificate.mjs";
import { startGateway } from "./gateway.mjs";
import { startPlatforms } from "./platforms.mjs";
import { startShop } from "./shop.mjs";

export { call, PIXELS, storage, STUB, tab, told } from "../../../packages/tidegate-js/test/page.js";

const HOSTS = ["shop.test", "*.shop.test", "other.test", "*.other.test"];

let browser;
let certificate;
let dir;
before(async () => {
  dir = mkdtempSync(join(tmpdir(), "tidegate-certificate-"));
  certificate = makeCertificate(dir);
  const rules = HOSTS.map((host) => `MAP ${host} 127.0.0.1`);
  const own = [`--host-resolver-rules=${rules}`, `--ignore-certificate-errors-spki-list=${certificate.spki}`];
  browser = await chromium.launch({ executablePath, args: [...args, ...own] });
});
after(async () => {
  await browser?.close();
  rmSync(dir, { recursive: true });
});

/** All that a test needs, gone with it. */
export async function stack(t, options = {}) {
  const [shop, platforms] = await Promise.all([startShop(t, certificate), startPlatforms(t)]);
  const gateway = await startGateway(t, { shop, platforms, certificate });
  shop.pass("/t/", gateway.port, "/");
  return { shop, platforms, gateway, context: await emptyBrowser(t, options) };
}

/** A browser without anything in it. */
export async function emptyBrowser(t, options = {}) {
  const context = await browser.newContext(options);
  t.after(() => context.close());
  return context;
}

/** Shows a page in a tab, a new one unless `page` is given, and waits for the snippet. */
export async function visit(t, { shop, gateway, context }, { path = "/", host, tag, head = "", body, headers, page } = {}) {
  shop.page(path.split("?")[0], { head: head + (tag ?? gateway.tag()), body, headers });
  page ??= await tab(t, context);
  await page.goto(shop.url(path, host));
  await loaded(page);
  return page;
}

const events = (request) => (/\/v1\/events$/.test(new URL(request.url()).pathname) ? JSON.parse(request.postData()).events : []);

/** Waits for the gateway's answer to an event of this name, which the page is about to send. */
export const answered = (page, name) =>
  page.waitForResponse((answer) => events(answer.request()).some(({ event }) => event === name));
