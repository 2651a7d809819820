// Waiting for what must happen soon.

import { setTimeout as delay } from "node:timers/promises";

const PATIENCE_MS = 20_000;
const EVERY_MS = 20;

/** Asks until `test()` gives something, and gives it. `what` may be a function, which then says how far things are. */
export async function until(what, test) {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const got = await test();
    if (got) return got;
    if (performance.now() > deadline) throw new Error(`never came: ${typeof what === "function" ? await what() : what}`);
    await delay(EVERY_MS);
  }
}
