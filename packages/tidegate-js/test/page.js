// Chromium as the tests want it, and what they do in its pages. Starts nothing, and needs no package: the gateway's own tests
// in tests/clients/browser share it.

import assert from "node:assert";

export const executablePath = process.env.CHROMIUM || "/usr/bin/chromium";
export const args = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync".split(" ");

/** The stub, as the README shows it. */
export const STUB = `<script>!function(w,n){w[n]=w[n]||function(){(w[n].q=w[n].q||[]).push(arguments)}}(window,"tidegate")</script>`;

/** Pixels that remember what they are told; this gtag pushes to the layer, as the real one does. */
export const PIXELS = `<script>
  window.meta = []; window.fbq = (...told) => meta.push(told);
  window.dataLayer = []; window.google = []; function gtag() { google.push([...arguments]); dataLayer.push(arguments) }
</script>`;
/** What the pixels were told. */
export const told = (page) => page.evaluate(() => ({ meta: window.meta, google: window.google }));

/** A new tab whose scripts may not throw. */
export async function tab(t, context) {
  const page = await context.newPage();
  const thrown = [];
  page.on("pageerror", (error) => thrown.push(error));
  page.lines = [];
  page.on("console", (message) => page.lines.push(message.text()));
  t.after(() => assert.deepEqual(thrown, [], "nothing is thrown into the page"));
  return page;
}

export const loaded = (page) => page.waitForFunction(() => window.tidegate?.loaded, undefined, { polling: 20 });
/** Calls `tidegate` in the page, and gives the id that it gave. */
export const call = (page, ...given) => page.evaluate((given) => window.tidegate(...given), given);
/** The names and values of the page's local storage. */
export const storage = (page) => page.evaluate(() => ({ ...localStorage }));
