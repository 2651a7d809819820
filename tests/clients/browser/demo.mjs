// The demo as `make run` starts it, on free ports, and a visitor who buys something in its shop.

import { spawn } from "node:child_process";
import { existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { built, endWith, PLUGIN_CACHE } from "./gateway.mjs";

/** Starts it, to end with the test; gives its three addresses. */
export async function startDemo(t) {
  const dir = mkdtempSync(join(dirname(PLUGIN_CACHE), "demo-"));
  // What other tests have compiled is not compiled again.
  const cache = join(dir, "plugin-cache");
  mkdirSync(cache, { mode: 0o700 });
  const compiled = existsSync(PLUGIN_CACHE) ? readdirSync(PLUGIN_CACHE).filter((name) => name.endsWith(".cwasm")) : [];
  for (const name of compiled) linkSync(join(PLUGIN_CACHE, name), join(cache, name));
  const [shop, gateway, admin] = (await freePorts(3)).map((port) => `127.0.0.1:${port}`);
  const words = ["--shop", shop, "--gateway", gateway, "--admin", admin, "--data", dir];
  const child = spawn(built("tidegate-demo"), words, { stdio: ["ignore", "pipe", "pipe"] });
  endWith(t, child, dir);
  const complaints = [];
  child.stderr.on("data", (said) => complaints.push(said));
  const addresses = {};
  for await (const line of createInterface({ input: child.stdout })) {
    const [, name, url] = /the (shop|dashboard|platforms) +(http\S+)/.exec(line) ?? [];
    if (name) addresses[name] = url;
    if (addresses.platforms) return addresses;
  }
  throw new Error(`the demo ended instead of starting:\n${complaints.join("")}`);
}

/** Ports that were free a moment ago. */
async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once("listening", resolve))));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** The cards beside the shop: the event's name, what became of it, and its consent. */
export const cards = (page) =>
  page.$$eval("#events .event", (all) => all.map((card) => [...card.querySelectorAll(".name, .tag")].map((part) => part.textContent)));

/** Comes from ads of all platforms, looks around, and buys a lantern; ends on the page that says thank you. */
export async function buyLantern(page, { shop }) {
  await page.goto(`${shop}?gclid=Cj0KCQjwDemo_gclid-123&fbclid=IwAR2F4-demo&utm_source=newsletter`);
  await page.click("text=Harbour lantern");
  await page.click("main button.wide");
  await page.click(".cart-link");
  await page.click("text=To the checkout");
  await page.click("button.buy");
  await page.waitForSelector("#way[href*='event=']");
}
