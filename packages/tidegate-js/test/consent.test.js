import assert from "node:assert";
import { test } from "node:test";
import { STUB, call, quiet, storage, visit } from "./browser.js";

const LAYER = `<script>window.dataLayer = []; function gtag() { dataLayer.push(arguments) }</script>`;
const gtag = (page, ...given) => page.evaluate((given) => window.gtag(...given), given);
const levels = (gateway) => gateway.events.map(({ event, consent }) => [event, consent]);
const cookies = async (context) => (await context.cookies()).map(({ name }) => name);

test("before consent nothing is written to the browser, not even offline", async (t) => {
  const { gateway, page, context } = await visit(t);
  await gateway.event("page_view");
  await context.setOffline(true);
  await call(page, "track", "One");
  await page.evaluate(() => dispatchEvent(new Event("pagehide")));
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  assert.deepEqual([await storage(page), await page.evaluate(() => ({ ...sessionStorage })), await cookies(context)], [{}, {}, []]);
});

test("a withdrawal clears what was stored, and what is sent then says so", async (t) => {
  const { gateway, page, context } = await visit(t);
  await gateway.event("page_view");
  await call(page, "consent", { analytics: true, marketing: true });
  await gateway.event("consent_updated");
  await context.setOffline(true);
  await call(page, "track", "One");
  await page.waitForFunction(() => localStorage.length === 1, undefined, { polling: 20 });
  await call(page, "consent", "none");
  assert.deepEqual(await storage(page), {});
  await call(page, "track", "Two");
  assert.deepEqual(await storage(page), {});
  await context.setOffline(false);
  await gateway.event("Two");
  assert.deepEqual(levels(gateway), [["page_view", undefined], ["consent_updated", "marketing"], ["consent_updated", "none"], ["Two", "none"]]);
  assert.deepEqual(await cookies(context), []);
});

test("consent that is told before the first request travels with it, and needs no other", async (t) => {
  const head = `${STUB}<script>tidegate("consent", { analytics: true, marketing: false })</script>`;
  const { gateway, page } = await visit(t, { head, clock: true });
  await quiet(page);
  await gateway.event("page_view");
  assert.deepEqual(levels(gateway), [["page_view", "analytics"]]);
});

test("words that are not understood count as a refusal", async (t) => {
  const { gateway, page } = await visit(t, { head: `${STUB}<script>tidegate("consent", "denied")</script>` });
  assert.equal((await gateway.event("page_view")).consent, "none");
  await call(page, "consent", { marketing: "yes" });
  await call(page, "track", "One");
  assert.equal((await gateway.event("One")).consent, "none");
});

test("an event is never sent with more than was allowed when it happened", async (t) => {
  const { gateway, page } = await visit(t, { attributes: 'data-page="off"', clock: true });
  await call(page, "consent", "none");
  await call(page, "track", "Before");
  await call(page, "consent", "marketing");
  await call(page, "track", "Between");
  await call(page, "consent", "analytics");
  await quiet(page);
  await gateway.event("Between");
  const got = Object.fromEntries(levels(gateway));
  assert.deepEqual([got.Before, got.Between], ["none", "analytics"]);
});

test("data-consent=wait sends and stores nothing until consent is told, then all that waited", async (t) => {
  const { gateway, page, context } = await visit(t, { attributes: 'data-consent="wait" data-page="off"', clock: true });
  await page.evaluate(() => {
    for (let n = 0; n < 130; n++) window.tidegate("track", "Early", { n });
    window.fbq = () => 0;
  });
  await quiet(page);
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await page.clock.runFor(60_000);
  assert.deepEqual([gateway.requests.length, await storage(page), await cookies(context)], [0, {}, []]);
  await call(page, "consent", "analytics");
  await quiet(page);
  const early = await gateway.until(() => gateway.named("Early").length === 100 && gateway.named("Early"), "what waited");
  assert.deepEqual([early[0].properties.n, early.at(-1).properties.n, early[0].consent], [30, 129, "analytics"]);
  assert.equal(gateway.named("consent_updated").length, 0);
});

test("data-consent=wait sends nothing from a page that is left before", async (t) => {
  const { gateway, page } = await visit(t, { attributes: 'data-consent="wait"' });
  gateway.page("/next", `<html><head>${gateway.tag()}</head></html>`);
  await call(page, "track", "Early");
  await page.goto(gateway.url("/next"));
  await gateway.event("page_view");
  assert.deepEqual(levels(gateway), [["page_view", undefined]]);
});

for (const [said, level] of [
  [{ analytics: true, marketing: true }, "marketing"],
  [{ marketing: true }, "marketing"],
  [{ analytics: false, marketing: true }, "none"],
]) {
  test(`the page's ${JSON.stringify(said)} is ${level}`, async (t) => {
    const { gateway } = await visit(t, { head: `${STUB}<script>tidegate("consent", ${JSON.stringify(said)})</script>` });
    assert.equal((await gateway.event("page_view")).consent, level);
  });
}

const both = (value) => ({ ad_storage: value, analytics_storage: value });
for (const [said, level] of [
  [both("granted"), "marketing"],
  [both("denied"), "none"],
  [{ ad_storage: "denied", analytics_storage: "granted" }, "analytics"],
  [{ ...both("granted"), ad_user_data: "denied" }, "analytics"],
  [{ ad_storage: "granted", analytics_storage: "denied" }, "none"],
  [{ functionality_storage: "granted" }, undefined],
]) {
  test(`Google's ${JSON.stringify(said)} is ${level}`, async (t) => {
    const head = `${LAYER}<script>gtag("consent", "default", ${JSON.stringify(said)})</script>`;
    const { gateway, page } = await visit(t, { head, clock: true });
    await quiet(page);
    assert.deepEqual((await gateway.event("page_view")).consent, level && { default: level });
    await gtag(page, "consent", "update", said);
    await call(page, "track", "One");
    await quiet(page);
    assert.equal((await gateway.event("One")).consent, level);
    assert.equal(gateway.named("consent_updated").length, 0, "the same answer is no news to who has no cookie");
  });
}

test("a refusal that was Google's default already is told where the visitor consented before", async (t) => {
  const head = `${LAYER}<script>document.cookie = "tg_consent=v1.marketing.1700000000"; gtag("consent", "default", { ad_storage: "denied", analytics_storage: "denied" })</script>`;
  const { gateway, page } = await visit(t, { head, clock: true });
  await quiet(page);
  await gateway.event("page_view");
  await gtag(page, "consent", "update", { ad_storage: "denied", analytics_storage: "denied" });
  await quiet(page);
  await gateway.event("consent_updated");
  assert.deepEqual(levels(gateway), [["page_view", { default: "none" }], ["consent_updated", "none"]]);
});

test("Google's update is awaited as long as the default asks, so that one page view is one request", async (t) => {
  const head = `${LAYER}<script>gtag("consent", "default", { ad_storage: "denied", analytics_storage: "denied", wait_for_update: 500 })</script>`;
  const { gateway, page } = await visit(t, { head, clock: true });
  await page.clock.runFor(400);
  assert.equal(gateway.requests.length, 0);
  await gtag(page, "consent", "update", { ad_storage: "granted", analytics_storage: "granted" });
  await quiet(page);
  await gateway.event("page_view");
  assert.deepEqual(levels(gateway), [["page_view", "marketing"]]);
});

test("Google's default counts when no update comes, and a later update is told at once", async (t) => {
  const head = `${LAYER}<script>gtag("consent", "default", { ad_storage: "denied", analytics_storage: "denied", wait_for_update: 500 })</script>`;
  const { gateway, page } = await visit(t, { head, clock: true });
  await quiet(page);
  await gateway.event("page_view");
  await gtag(page, "consent", "update", { analytics_storage: "granted" });
  await quiet(page);
  await gateway.event("consent_updated");
  assert.deepEqual(levels(gateway), [["page_view", { default: "none" }], ["consent_updated", "analytics"]]);
});

test("Google's regional defaults are left to the gateway, which knows the region", async (t) => {
  const head = `${LAYER}<script>gtag("consent", "default", { ad_storage: "granted", analytics_storage: "granted" }); gtag("consent", "default", { ad_storage: "denied", analytics_storage: "denied", region: ["DE"] })</script>`;
  const { gateway } = await visit(t, { head });
  assert.equal((await gateway.event("page_view")).consent, undefined);
});

test("of the page's word and Google's, the more restrictive counts", async (t) => {
  const head = `${STUB}${LAYER}<script>tidegate("consent", "marketing"); gtag("consent", "default", { ad_storage: "denied", analytics_storage: "granted" })</script>`;
  const { gateway } = await visit(t, { head });
  assert.deepEqual((await gateway.event("page_view")).consent, { default: "analytics" });
});
