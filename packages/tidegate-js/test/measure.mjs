// What the script costs a page: size, the main thread's time to load it and to send a page view, requests. Prints lines
// of JSON; the times are medians of fresh visits, by Chromium's trace.
//
// node test/measure.mjs

import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { chromium } from "playwright-core";
import { startGateway } from "./gateway.js";

const VISITS = 20;
const ending = [];
const gateway = await startGateway({ after: (work) => ending.push(work) });
gateway.page("/", `<html><head>${gateway.tag()}<title>Shop</title></head><body></body></html>`);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
ending.push(() => browser.close());

const median = (values) => Math.round(values.sort((a, b) => a - b)[values.length >> 1] * 1_000) / 1_000;
const visits = [];
for (let n = 0; n < VISITS; n++) visits.push(await visit());
const script = readFileSync(new URL("../dist/tidegate.js", import.meta.url));
console.log(JSON.stringify({ bytes: script.length, gzipped: gzipSync(script, { level: 9 }).length }));
console.log(JSON.stringify({ visits: VISITS, load_ms: median(visits.map(({ load }) => load)), load_ms_max: Math.max(...visits.map(({ load }) => load)), compile_ms: median(visits.map(({ compile }) => compile)), cpu_time: visits[0].cpu, later_ms: median(visits.map(({ later }) => later)) }));
console.log(JSON.stringify({ requests_per_page_view: gateway.requests.length / VISITS }));
for (const end of ending.reverse()) await end();

/** One visit in an empty browser: milliseconds of evaluating (compiling is part of it), and of all that the script does later. */
async function visit() {
  const context = await browser.newContext();
  const page = await context.newPage();
  const before = gateway.events.length;
  await browser.startTracing(page, { categories: ["devtools.timeline", "v8"] });
  await page.goto(gateway.url("/"));
  await gateway.until(() => gateway.events.length > before, "a page view");
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
  await context.close();
  // The thread's own time where the trace has it: other programs' turns are not ours.
  const sum = (what) => traceEvents
    .filter(({ name, args, dur }) => name === what && dur && args?.data?.url?.endsWith("/t.js"))
    .reduce((ms, { dur, tdur }) => ms + (tdur ?? dur) / 1_000, 0);
  return { load: sum("EvaluateScript"), compile: sum("v8.compile"), later: sum("FunctionCall"), cpu: traceEvents.some(({ tdur }) => tdur) };
}
