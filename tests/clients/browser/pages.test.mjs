// The shipped snippet on real pages: routers, lost networks, pages that are left at once, several tabs, blockers and policies.

import assert from "node:assert";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { KEYS } from "./gateway.mjs";
import { jar, NOTHING, written } from "./jar.mjs";
import { answered, call, PIXELS, stack, storage, STUB, tab, told, visit } from "./stack.mjs";
import { until } from "./until.mjs";

const consent = (level) => `${STUB}<script>tidegate("consent", "${level}")</script>`;
const MARKETING = consent("marketing");
const PURCHASE = { value: 99.5, currency: "EUR", order_id: "T1", items: [{ item_id: "S1", price: 49.75, quantity: 2 }] };

/** Each of these was delivered, and once. A page that is left may send twice under one id: the gateway counts that once. */
async function delivered({ platforms }, ids) {
  for (const id of ids) {
    await platforms.hooked(id);
    assert.equal(platforms.hook.filter(({ data }) => data.id === id).length, 1, `${id} was delivered once`);
  }
}

/** The same, and each was sent once. */
async function sentOnce(world, ids) {
  await delivered(world, ids);
  for (const id of ids) assert.equal((await world.gateway.trace(id)).duplicates, 0, `${id} came once`);
}

const views = ({ hook }) => hook.filter(({ type }) => type === "page_view").map(({ data }) => data.page);

test("a router's pages are viewed once each, back and forth, and are delivered with their referrers", async (t) => {
  const world = await stack(t);
  const { shop, platforms } = world;
  const page = await visit(t, world, { head: MARKETING });
  await platforms.hooked("page_view");
  const steps = [() => history.pushState({}, "", "/lamps"), () => history.pushState({}, "", "/lamps?page=2"), () => history.back(), () => history.back()];
  for (const [n, step] of steps.entries()) {
    await page.evaluate(step);
    await until(() => `view ${n + 2} of ${JSON.stringify(views(platforms))}`, () => views(platforms).length === n + 2);
  }
  const marker = await call(page, "track", "Marker");
  await platforms.hooked(marker);
  const seen = views(platforms).map(({ url, referrer }) => [url, referrer]);
  const [home, lamps, second] = ["/", "/lamps", "/lamps?page=2"].map((path) => shop.url(path));
  assert.deepEqual(seen, [[home, undefined], [lamps, home], [second, lamps], [lamps, second], [home, lamps]]);
});

test("what happens without a network is delivered once when it is back, under the same ids", async (t) => {
  const world = await stack(t);
  const { context, platforms } = world;
  const page = await visit(t, world, { head: consent("analytics") });
  await platforms.hooked("page_view");
  await context.setOffline(true);
  const ids = [];
  for (const name of ["First", "Second"]) ids.push(await call(page, "track", name));
  const kept = async () => Object.keys(await storage(page)).filter((name) => ids.some((id) => name.endsWith(id)));
  await until("both in the local storage", async () => (await kept()).length === 2);
  await context.setOffline(false);
  await sentOnce(world, ids);
  await until("an empty storage", async () => !(await kept()).length);

  // The visitor allows more meanwhile: what happened before goes out with what was allowed then, and takes nothing back.
  await context.setOffline(true);
  const before = await call(page, "track", "Before");
  await call(page, "consent", "marketing");
  await until("both in the local storage", async () => Object.keys(await storage(page)).length === 2);
  await context.setOffline(false);
  await sentOnce(world, [before]);
  assert.equal((await platforms.hooked(before)).data.consent.granted.join(), "analytics");
  await until("an empty storage", async () => !Object.keys(await storage(page)).length);
  assert.ok((await jar(context))._fbp, "marketing's cookies are there");

  // The page is closed meanwhile, and the next one sends what it has left.
  await context.setOffline(true);
  const left = await call(page, "track", "Left");
  await until("it in the local storage", async () => Object.keys(await storage(page)).some((name) => name.endsWith(left)));
  await page.close();
  await context.setOffline(false);
  const next = await visit(t, world, { path: "/next", head: MARKETING });
  await sentOnce(world, [left]);
  await until("an empty storage", async () => !Object.keys(await storage(next)).length);
});

test("without consent nothing is kept either when the network is lost", async (t) => {
  const world = await stack(t);
  const { context, gateway } = world;
  const page = await tab(t, context);
  const answer = answered(page, "page_view");
  await visit(t, world, { page });
  await answer;
  await context.setOffline(true);
  const id = await call(page, "track", "Lost");
  // The page is hidden: the moment at which what may be kept is kept.
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
    delete document.hidden;
  });
  assert.deepEqual(await written(page), NOTHING);
  await context.setOffline(false);
  assert.equal((await gateway.trace(id)).consent.level, "none");
  assert.deepEqual(await written(page), NOTHING);
});

test("a purchase arrives though its page is closed, or left, in the same moment", async (t) => {
  const world = await stack(t);
  const { context, shop, platforms } = world;
  const opener = await visit(t, world, { head: MARKETING });
  await platforms.hooked("page_view");
  shop.page("/thanks", {});
  const buy = (id) => ["track", "purchase", { ...PURCHASE, order_id: id }, { id }];
  const another = async (path) => {
    const page = await visit(t, world, { path, head: MARKETING });
    await until("its page view", () => views(platforms).some(({ url }) => url === shop.url(path)));
    return page;
  };

  const navigated = await another("/navigated");
  await navigated.evaluate(([call, to]) => {
    window.tidegate(...call);
    location.href = to;
  }, [buy("navigated"), shop.url("/thanks")]);
  await navigated.waitForURL(shop.url("/thanks"));

  // A window that a script opened may close itself: no timer of the snippet runs any more.
  shop.page("/popup", { head: MARKETING + world.gateway.tag() });
  const [popup] = await Promise.all([context.waitForEvent("page"), opener.evaluate(() => void window.open("/popup"))]);
  await until("the popup's page view", () => views(platforms).some(({ url }) => url === shop.url("/popup")));
  const closed = popup.waitForEvent("close");
  await popup.evaluate((call) => {
    setTimeout(() => {
      window.tidegate(...call);
      window.close();
    });
  }, buy("closed-itself"));
  await closed;

  const gone = await another("/gone");
  await call(gone, ...buy("was-closed"));
  await gone.close();

  await delivered(world, ["navigated", "closed-itself", "was-closed"]);
});

test("two tabs are one visitor, and send what both have stored once", async (t) => {
  const world = await stack(t);
  const { context, platforms } = world;
  const one = await visit(t, world, { path: "/one", head: consent("analytics") });
  await platforms.hooked("page_view");
  const two = await visit(t, world, { path: "/two", head: consent("analytics") });
  await until("both page views", () => views(platforms).length === 2);
  await context.setOffline(true);
  const ids = [];
  for (const name of ["A", "B", "C"]) for (const page of [one, two]) ids.push(await call(page, "track", name));
  await until("all in the local storage", async () => Object.keys(await storage(one)).length === ids.length);
  await context.setOffline(false);
  await sentOnce(world, ids);
  await until("an empty storage", async () => !Object.keys(await storage(two)).length);
  const visitors = new Set(platforms.hook.map(({ data }) => data.anonymous_id));
  assert.equal(visitors.size, 1, "one visitor");
});

test("where blockers know the usual names, others in path mode work", async (t) => {
  const world = await stack(t);
  const { context, gateway, shop, platforms } = world;
  const blocked = [];
  const known = [/\/t\.js(\?|$)/, /tidegate/, /\/v1\/(events|t|track|p|page|batch)(\?|$)/, /^https:\/\/track\./, /\/collect(\?|$)/];
  for (const pattern of known) {
    await context.route(pattern, (route) => {
      blocked.push(new URL(route.request().url()).pathname);
      return route.abort("blockedbyclient");
    });
  }
  // As an administrator writes it into nginx: the script and the events, each under a name of the shop's own.
  shop.pass("/lamps/light.js", gateway.port, "/lamps.js");
  shop.pass("/lamps/oil", gateway.port, "/v1/events");

  shop.page("/usual", { head: MARKETING + gateway.tag() });
  const usual = await tab(t, context);
  await usual.goto(shop.url("/usual"));
  await until("a blocked script", () => blocked.includes("/t.js"));
  await call(usual, "track", "Blocked");
  assert.equal(await usual.evaluate(() => !!window.tidegate.loaded), false, "the stub took the call, and the page goes on");

  const tag = gateway.tag('data-endpoint="/lamps/oil"', { src: "/lamps/light.js", key: KEYS.path });
  const page = await visit(t, world, { path: "/own", head: MARKETING, tag });
  await platforms.hooked("page_view");
  const id = await call(page, "track", "purchase", PURCHASE);
  assert.equal((await platforms.hooked(id)).type, "purchase");
  assert.ok((await jar(context))["__Secure-tg_vid"], "with the cookie of the gateway");
  assert.deepEqual(blocked, ["/t.js"], "nothing else was tried under a usual name");
});

/** What pages of a policy broke: told by the page itself, by the console, and by the browser's report. */
async function withPolicy(t, world, { path, policy, head, tag }) {
  const page = await tab(t, world.context);
  await page.addInitScript(() => {
    window.broken = [];
    addEventListener("securitypolicyviolation", (event) => window.broken.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  const headers = { "content-security-policy": `${policy}; report-uri /reports` };
  return { page: await visit(t, world, { path, page, headers, head, tag }), broken: () => page.evaluate(() => window.broken) };
}

test("the policy of docs/guides/browser.md suffices, and nothing breaks it", async (t) => {
  const world = await stack(t);
  const { gateway, shop, platforms, context } = world;
  const guide = readFileSync(new URL("../../../docs/guides/browser.md", import.meta.url), "utf8");
  const documented = /^script-src https:\/\/track\.shop\.example.*$/m.exec(guide)[0];
  const policy = `default-src 'none'; ${documented.replaceAll("https://track.shop.example", gateway.origin)}`;

  // The second line alone, all that it does: views, clicks, events, storing, leaving.
  const { page, broken } = await withPolicy(t, world, { path: "/strict", policy });
  const said = answered(page, "consent_updated");
  await call(page, "consent", "marketing");
  await said;
  await context.setOffline(true);
  const stored = await call(page, "track", "Stored");
  await until("it in the local storage", async () => Object.keys(await storage(page)).some((name) => name.endsWith(stored)));
  await context.setOffline(false);
  await platforms.hooked(stored);
  shop.page("/left", {});
  assert.deepEqual(await broken(), []);
  await page.evaluate((to) => {
    window.tidegate("track", "Left", {}, { id: "left" });
    location.href = to;
  }, shop.url("/left"));
  await platforms.hooked("left");
  await page.waitForURL(shop.url("/left"));

  // With the stub, under a nonce.
  const head = MARKETING.replaceAll("<script>", '<script nonce="c3R1Yg">');
  const nonced = policy.replace("script-src", "script-src 'nonce-c3R1Yg'");
  const stub = await withPolicy(t, world, { path: "/nonce", policy: nonced, head });
  await until("its page view", () => views(platforms).some(({ url }) => url === shop.url("/nonce")));
  assert.deepEqual(await stub.broken(), []);
  const refused = (lines) => lines.filter((line) => /Content.Security.Policy|Refused to/i.test(line));
  assert.deepEqual([refused(page.lines), refused(stub.page.lines), shop.reports], [[], [], []]);

  // And what breaks it is seen.
  const bad = await withPolicy(t, world, { path: "/bad", policy, head: MARKETING });
  assert.deepEqual(await bad.broken(), ["script-src-elem inline", "script-src-elem inline"]);
  await until("a report", () => shop.reports.some((report) => report.includes("script-src")));
  assert.ok(refused(bad.page.lines).length);
});

test("the pixels in the page and the platforms' servers are told the same ids", async (t) => {
  const world = await stack(t);
  const { platforms } = world;
  const page = await visit(t, world, { head: MARKETING + PIXELS, tag: world.gateway.tag("data-fbq data-gtag") });
  const bought = await call(page, "track", "purchase", PURCHASE);
  const added = await page.evaluate(() => {
    window.dataLayer.push({ ecommerce: null }, { event: "add_to_cart", ecommerce: { currency: "EUR", value: 20, items: [{ item_id: "S2", price: 20 }] } });
    return window.tidegate.lastEventId;
  });
  const metas = (name) => platforms.meta.filter((event) => event.event_name === name).map((event) => event.event_id);
  const ga4s = (name) => platforms.ga4.filter((event) => event.name === name);
  await until(() => `all at Meta: ${JSON.stringify(platforms.meta)}`, () => metas("Purchase").length && metas("AddToCart").length && metas("PageView").length);
  await until(() => `all at GA4: ${JSON.stringify(platforms.ga4)}`, () => ga4s("purchase").length && ga4s("add_to_cart").length);

  const { meta, google } = await told(page);
  const pixel = (name) => meta.filter(([, told]) => told === name).map(([, , , { eventID }]) => eventID);
  for (const name of ["PageView", "Purchase", "AddToCart"]) assert.deepEqual(pixel(name), metas(name), name);
  assert.deepEqual([pixel("Purchase"), pixel("AddToCart")], [[bought], [added]]);

  const calls = google.filter(([command]) => command === "event");
  assert.deepEqual(calls.map(([, name, { event_id }]) => [name, event_id]), [["purchase", bought]], "Google's tag has the data layer");
  const [{ params }] = ga4s("purchase");
  assert.deepEqual([params.event_id, params.transaction_id], [bought, calls[0][2].transaction_id]);
  assert.equal(ga4s("add_to_cart")[0].params.event_id, added);
  await delivered(world, [bought, added]);
});
