import assert from "node:assert";
import { test } from "node:test";
import { STUB, call, quiet, stack, tab, visit } from "./browser.js";
import { KEY } from "./gateway.js";

const urls = (gateway) => gateway.named("page_view").map(({ page }) => page.url);

test("a page view is one request, with the page's address and title, and no preflight", async (t) => {
  const { gateway, page } = await visit(t, { path: "/shoes?gclid=Ab_1", clock: true });
  await quiet(page);
  const view = await gateway.event("page_view");
  await quiet(page);
  assert.equal(gateway.requests.length, 1);
  const [request] = gateway.requests;
  assert.equal(request.method, "POST");
  assert.match(request.headers["content-type"], /^text\/plain/);
  assert.equal(request.headers["sec-fetch-mode"], "cors");
  assert.equal(request.body.writeKey, KEY);
  assert.equal(view.page.url, gateway.url("/shoes?gclid=Ab_1"));
  assert.equal(view.page.title, "Shop");
  assert.equal(view.message_id, await page.evaluate(() => window.tidegate.lastEventId));
  assert.ok(view.sent_at >= view.timestamp && view.timestamp > 1e12);
  assert.equal("consent" in view, false);
});

test("calls before the script has come run in order, and travel with the page view", async (t) => {
  const head = `${STUB}<script>tidegate("identify", 7, { email: "a@shop.example", plan: "gold" }); tidegate("track", "One"); tidegate("track", "Two", { a: 1 }, { id: "two" })</script>`;
  const { gateway, page } = await visit(t, { head, clock: true });
  await quiet(page);
  await gateway.event("page_view");
  assert.equal(gateway.requests.length, 1);
  const [identify, one, two, view] = gateway.events;
  assert.deepEqual([identify.event, one.event, two.event, view.event], ["identify", "One", "Two", "page_view"]);
  assert.deepEqual([identify.user, identify.properties], [{ email: "a@shop.example" }, { plan: "gold" }]);
  assert.deepEqual([identify.customer_id, two.customer_id, two.message_id, two.properties], ["7", "7", "two", { a: 1 }]);
});

test("a stub that the page kept works after the script has come", async (t) => {
  const head = `${STUB}<script>window.kept = tidegate</script>`;
  const { gateway, page } = await visit(t, { head });
  await page.evaluate(() => window.kept("track", "Kept"));
  await gateway.event("Kept");
});

test("navigation without loading is a page view each, and the page before is its referrer", async (t) => {
  const { gateway, page } = await visit(t, { clock: true });
  await quiet(page);
  await page.evaluate(() => {
    history.pushState({}, "", "/a");
    document.title = "A";
  });
  await quiet(page);
  const [, a] = await gateway.count("page_view", 2);
  assert.deepEqual(a.page, { url: gateway.url("/a"), title: "A", referrer: gateway.url("/") });
  await page.goBack();
  await quiet(page);
  await gateway.count("page_view", 3);
  assert.deepEqual(urls(gateway), ["/", "/a", "/"].map((path) => gateway.url(path)));
  assert.equal(gateway.requests.length, 3);
});

test("a router's several steps count once, with what they come to, and an event on the way travels along", async (t) => {
  const { gateway, page } = await visit(t, { clock: true });
  await quiet(page);
  await page.evaluate(() => {
    history.pushState({}, "", "/list");
    history.replaceState({}, "", "/list?page=1");
    history.replaceState({ scroll: 1 }, "", "/list?page=1");
    window.tidegate("track", "Seen");
  });
  await quiet(page);
  await gateway.count("page_view", 2);
  await page.evaluate(() => history.replaceState({ scroll: 2 }, "", location.href));
  await page.evaluate(() => (location.hash = "#section"));
  await quiet(page);
  await call(page, "track", "Marker");
  await quiet(page);
  await gateway.event("Marker");
  assert.deepEqual(urls(gateway), [gateway.url("/"), gateway.url("/list?page=1")]);
  assert.deepEqual(gateway.requests.map(({ events }) => events.length), [1, 2, 1]);
});

test("routes kept in the fragment are pages", async (t) => {
  const { gateway, page } = await visit(t, { clock: true });
  await quiet(page);
  await page.evaluate(() => (location.hash = "#/cart"));
  await page.waitForFunction(() => location.hash === "#/cart", undefined, { polling: 20 });
  await quiet(page);
  await gateway.count("page_view", 2);
  assert.equal(urls(gateway)[1], gateway.url("/#/cart"));
});

test("a page view that the page tells itself is not told again", async (t) => {
  const { gateway, page } = await visit(t, { head: `${STUB}<script>tidegate("page", { section: "shoes" })</script>`, clock: true });
  await quiet(page);
  await page.evaluate(() => {
    history.pushState({}, "", "/a");
    window.tidegate("page");
  });
  await quiet(page);
  await call(page, "track", "Marker");
  await quiet(page);
  await gateway.event("Marker");
  assert.deepEqual(urls(gateway), [gateway.url("/"), gateway.url("/a")]);
  assert.deepEqual(gateway.events[0].properties, { section: "shoes" });
});

for (const [attributes, views] of [['data-page="off"', 0], ['data-spa="off"', 1]]) {
  test(`${attributes} switches it off`, async (t) => {
    const { gateway, page } = await visit(t, { attributes, clock: true });
    await page.evaluate(() => history.pushState({}, "", "/a"));
    await quiet(page);
    await call(page, "track", "Marker");
    await quiet(page);
    await gateway.event("Marker");
    assert.equal(gateway.named("page_view").length, views);
  });
}

test("a page that comes back from the browser's memory is viewed again", async (t) => {
  const { gateway, page } = await visit(t, { clock: true });
  await quiet(page);
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
  await quiet(page);
  await gateway.count("page_view", 2);
});

test("a page that is prepared in advance is viewed when it is shown", async (t) => {
  const { gateway, context } = await stack(t);
  const page = await tab(t, context);
  await page.addInitScript(() => Object.defineProperty(document, "prerendering", { value: true, configurable: true }));
  await visit(t, { over: { gateway, context: { newPage: async () => page } }, clock: true });
  await quiet(page);
  assert.equal(gateway.requests.length, 0);
  await page.evaluate(() => {
    delete document.prerendering;
    document.dispatchEvent(new Event("prerenderingchange"));
  });
  await quiet(page);
  await gateway.event("page_view");
});
