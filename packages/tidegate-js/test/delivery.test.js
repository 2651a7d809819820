import assert from "node:assert";
import { test } from "node:test";
import { arrived, call, loaded, quiet, stack, still, storage, tab, visit } from "./browser.js";

const consented = async (page) => call(page, "consent", "analytics");
const stored = async (page) => Object.keys(await storage(page)).filter((name) => name.startsWith("tidegate."));
/** The snippet has its answer when it says so. */
const answered = (page) => page.waitForEvent("console", (message) => message.text().includes("answered"));
const OFF = 'data-page="off" data-debug';

test("a purchase arrives though the page is left in the same moment", async (t) => {
  const { gateway, page } = await visit(t, { clock: true });
  gateway.page("/thanks", "<html></html>");
  await page.evaluate(() => {
    window.tidegate("track", "purchase", { value: 99.5, currency: "EUR" });
    location.href = "/thanks";
  });
  const purchase = await gateway.event("purchase");
  assert.deepEqual(purchase.properties, { value: 99.5, currency: "EUR" });
  // The page view, whose time had not come either, travels along.
  assert.equal(gateway.requests.length, 1);
  assert.equal(gateway.requests[0].headers["sec-fetch-mode"], "no-cors");
  await arrived(page, "/thanks");
});

test("a purchase arrives though the tab is closed in the same moment", async (t) => {
  const { gateway, page } = await visit(t, { clock: true });
  await call(page, "track", "purchase", { value: 1 }, { id: "order-1" });
  await page.close({ runBeforeUnload: true });
  assert.equal((await gateway.event("purchase")).message_id, "order-1");
});

test("a page that is hidden hands over what it has, and goes on", async (t) => {
  const { gateway, page } = await visit(t, { clock: true, attributes: OFF });
  await call(page, "track", "Before");
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await gateway.event("Before");
  await call(page, "track", "After");
  await quiet(page);
  await gateway.event("After");
  assert.equal(gateway.events.length, 2);
});

test("what a hidden page handed over and was refused for the moment is sent again", async (t) => {
  const { gateway, page } = await visit(t, { clock: true, attributes: OFF });
  gateway.answers.push({ status: 503 });
  const refused = answered(page);
  const id = await call(page, "track", "Before");
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await refused;
  await quiet(page);
  assert.equal((await gateway.event("Before")).message_id, id);
  assert.deepEqual(gateway.requests.map(({ status }) => status), [503, 200]);
});

test("offline, events are kept with their ids, and sent when the network is back", async (t) => {
  const { gateway, page, context } = await visit(t);
  await gateway.event("page_view");
  await consented(page);
  await gateway.event("consent_updated");
  await context.setOffline(true);
  const ids = [await call(page, "track", "One"), await call(page, "track", "Two")];
  await page.waitForFunction(() => Object.keys(localStorage).length === 2, undefined, { polling: 20 });
  await context.setOffline(false);
  await gateway.event("Two");
  assert.deepEqual(gateway.events.slice(2).map(({ message_id }) => message_id), ids);
  await page.waitForFunction(() => !localStorage.length, undefined, { polling: 20 });
});

test("a connection that fails is tried again with the same ids", async (t) => {
  const { gateway, page } = await visit(t, { attributes: OFF });
  gateway.answers.push("hang up", "hang up");
  const id = await call(page, "track", "One");
  await gateway.event("One");
  assert.ok(gateway.requests.length >= 2);
  for (const { events } of gateway.requests) assert.equal(events[0].message_id, id);
});

for (const status of [429, 500, 503]) {
  test(`${status} is tried again, not before Retry-After`, async (t) => {
    const { gateway, page } = await visit(t, { attributes: OFF, clock: true });
    gateway.answers.push({ status, headers: { "retry-after": "120" } });
    const first = answered(page);
    await call(page, "track", "One");
    await quiet(page);
    await first;
    await page.clock.runFor(100_000);
    // The network that is back does not change what the gateway asked for.
    await page.evaluate(() => dispatchEvent(new Event("online")));
    await page.clock.runFor(10_000);
    assert.equal(gateway.requests.length, 1);
    await page.clock.runFor(15_000);
    await gateway.event("One");
    assert.equal(gateway.requests[0].events[0].message_id, gateway.requests[1].events[0].message_id);
  });
}

test("408 is tried again", async (t) => {
  const { gateway, page } = await visit(t, { attributes: OFF });
  // Chromium itself tries a 408 once more.
  gateway.answers.push({ status: 408 }, { status: 408 });
  const id = await call(page, "track", "One");
  assert.equal((await gateway.event("One")).message_id, id);
});

test("other refusals are not tried again, and debugging says why", async (t) => {
  const { gateway, page } = await visit(t, { attributes: OFF, clock: true });
  const first = answered(page);
  await call(page, "track", "Bad", { value: "12" });
  await quiet(page);
  assert.match((await first).text(), /answered 400/);
  gateway.answers.push({ status: 403 });
  const second = answered(page);
  await call(page, "track", "Foreign");
  await quiet(page);
  await second;
  await page.clock.runFor(600_000);
  assert.deepEqual(gateway.requests.map(({ status }) => status), [400, 403]);
});

test("an answer that is no gateway's acknowledges nothing", async (t) => {
  const { gateway, page } = await visit(t, { attributes: OFF });
  gateway.answers.push({ status: 200, body: "<html>Please log in</html>" });
  await call(page, "track", "One");
  await gateway.until(() => gateway.requests.length === 2, "a second request");
  assert.equal(gateway.requests[1].events[0].event, "One");
});

test("events of one moment share requests of at most 20 events and 60 KB", async (t) => {
  const { gateway, page } = await visit(t, { attributes: OFF });
  await page.evaluate(() => {
    for (let n = 0; n < 45; n++) window.tidegate("track", "Small", { n });
    for (let n = 0; n < 5; n++) window.tidegate("track", "Large", { text: "ä".repeat(12_000) });
  });
  await gateway.count("Large", 5);
  assert.deepEqual(gateway.named("Small").map(({ properties }) => properties.n), Array.from({ length: 45 }, (_, n) => n));
  assert.deepEqual(gateway.requests.slice(0, 2).map(({ events }) => events.length), [20, 20]);
  for (const { bytes, events } of gateway.requests) assert.ok(bytes <= 60_500 && events.length <= 20, `${bytes}, ${events.length}`);
});

test("what waits is bounded: the oldest goes, and debugging counts it", async (t) => {
  const { gateway, page, context } = await visit(t, { attributes: OFF });
  await context.setOffline(true);
  await page.evaluate(() => {
    for (let n = 0; n < 130; n++) window.tidegate("track", "Many", { n });
    window.tidegate("track", "Huge", { text: "x".repeat(61_000) });
  });
  assert.ok(page.lines.some((line) => /dropped: 30/.test(line)), page.lines.slice(-3).join());
  await context.setOffline(false);
  const many = await gateway.count("Many", 100);
  assert.deepEqual([many[0].properties.n, many.length], [30, 100]);
  assert.equal(gateway.named("Huge").length, 0);
});

test("what is stored is bounded too", async (t) => {
  const { gateway, page, context } = await visit(t, { attributes: OFF });
  await consented(page);
  await context.setOffline(true);
  for (let round = 0; round < 3; round++) {
    const before = await stored(page);
    await page.evaluate((round) => {
      for (let n = 0; n < 50; n++) window.tidegate("track", "Many", { n: round * 50 + n });
    }, round);
    await page.waitForFunction((before) => Object.keys(localStorage).join() !== before, before.join(), { polling: 20 });
  }
  await page.waitForFunction(() => Object.values(localStorage).some((text) => text.includes('"n":149')), undefined, { polling: 20 });
  assert.equal((await stored(page)).length, 100);
  await context.setOffline(false);
  assert.equal((await gateway.count("Many", 100)).length, 100);
});

test("what a page left unsent, the site's next page sends", async (t) => {
  const { gateway, page, context } = await visit(t, { attributes: OFF });
  gateway.page("/next", `<html><head>${gateway.tag(OFF)}</head></html>`);
  await consented(page);
  gateway.answers.push({ status: 503 });
  const first = answered(page);
  const id = await call(page, "track", "One");
  await first;
  await page.waitForFunction(() => localStorage.length === 1, undefined, { polling: 20 });
  await page.goto(gateway.url("/next"));
  assert.equal((await gateway.event("One")).message_id, id);
  await page.waitForFunction(() => !localStorage.length, undefined, { polling: 20 });
  assert.equal(gateway.named("One").length, 1);
  await context.close();
});

test("what is stored outlives Google's default, and leaves with its consent when the update comes", async (t) => {
  const denied = { ad_storage: "denied", analytics_storage: "denied" };
  const head = `<script>window.dataLayer = []; function gtag() { dataLayer.push(arguments) } gtag("consent", "default", ${JSON.stringify(denied)})</script>`;
  const { gateway, page } = await visit(t, { attributes: OFF });
  gateway.page("/next", `<html><head>${head}${gateway.tag("data-debug")}</head></html>`);
  await consented(page);
  gateway.answers.push({ status: 503 });
  const first = answered(page);
  await call(page, "track", "One");
  await first;
  await page.waitForFunction(() => localStorage.length === 1, undefined, { polling: 20 });
  await still(page);
  await page.goto(gateway.url("/next"));
  await loaded(page);
  const second = answered(page);
  await quiet(page);
  await second;
  await page.clock.runFor(60_000);
  assert.deepEqual([gateway.events.map(({ event }) => event), (await stored(page)).length], [["page_view"], 1]);
  await page.evaluate(() => window.gtag("consent", "update", { ad_storage: "denied", analytics_storage: "granted" }));
  await quiet(page);
  assert.equal((await gateway.event("One")).consent, "analytics");
});

for (const host of ["www.shop.localhost", "www.shop.test"]) {
  test(`two tabs send all that is stored, and with HTTPS once (${host})`, async (t) => {
    const { gateway, context } = await stack(t);
    gateway.page("/", `<html><head>${gateway.tag(OFF, { src: "/t.js" })}</head></html>`);
    const tabs = [await tab(t, context), await tab(t, context)];
    for (const page of tabs) {
      await page.goto(gateway.url("/", host));
      await loaded(page);
      await consented(page);
    }
    assert.equal(await tabs[0].evaluate(() => isSecureContext && !!navigator.locks), host.endsWith("localhost"));
    await context.setOffline(true);
    for (const [n, page] of tabs.entries()) {
      await page.evaluate((n) => {
        for (let i = 0; i < 30; i++) window.tidegate("track", "Kept", { n: n * 30 + i });
      }, n);
    }
    for (const page of tabs) await page.waitForFunction(() => Object.keys(localStorage).length === 60, undefined, { polling: 20 });
    await context.setOffline(false);
    await gateway.until(() => new Set(gateway.named("Kept").map(({ message_id }) => message_id)).size === 60, "60 events");
    for (const page of tabs) await page.waitForFunction(() => !localStorage.length, undefined, { polling: 20 });
    // Without Web Locks both may send them, by the same ids.
    if (host.endsWith("localhost")) assert.equal(gateway.named("Kept").length, 60);
  });
}

test("a gateway that is blocked throws nothing into the page, and the page works", async (t) => {
  const { gateway, context } = await stack(t);
  const page = await tab(t, context);
  await still(page);
  await context.route("**/v1/events", (route) => route.abort("blockedbyclient"));
  gateway.page("/", `<html><head>${gateway.tag("data-debug")}</head><body><a href="#">x</a></body></html>`);
  await page.goto(gateway.url("/"));
  await loaded(page);
  const failed = answered(page);
  await call(page, "track", "One");
  await quiet(page);
  assert.match((await failed).text(), /answered 0/);
  await page.click("a");
  await page.clock.runFor(60_000);
  assert.equal(gateway.requests.length, 0);
});

test("a request that never ends is given up, and tried again", async (t) => {
  const { gateway, page } = await visit(t, { attributes: OFF, clock: true });
  gateway.answers.push("never");
  await call(page, "track", "One");
  await quiet(page);
  await gateway.until(() => gateway.requests.length === 1, "a request");
  const given = answered(page);
  await page.clock.runFor(31_000);
  await given;
  await page.clock.runFor(5_000);
  await gateway.event("One");
});

test("what a page gives that cannot be sent, or is no command, throws nothing", async (t) => {
  const { gateway, page } = await visit(t, { attributes: OFF });
  await page.evaluate(() => {
    const round = {};
    round.round = round;
    window.tidegate("track", "Round", round);
    window.tidegate("track", "Large", { n: 10n });
    window.tidegate("track");
    window.tidegate("track", "Null", null, null);
    window.tidegate("toString");
    window.tidegate();
    window.tidegate("track", "Good");
  });
  await gateway.event("Good");
});
