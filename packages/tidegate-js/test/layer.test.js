import assert from "node:assert";
import { test } from "node:test";
import { arrived, call, quiet, visit } from "./browser.js";

const ITEMS = [{ item_id: "S1", item_name: "Shoe", price: 49.75, quantity: 2, item_brand: "Tide" }];
const PURCHASE = { event: "purchase", ecommerce: { transaction_id: "T1", value: 99.5, currency: "EUR", items: ITEMS } };
const ATTRIBUTES = 'data-page="off"';
const push = (page, entry) => page.evaluate((entry) => window.dataLayer.push(entry), entry);
const summary = (gateway) => gateway.events.map(({ event, properties }) => [event, properties?.transaction_id ?? properties?.n]);

test("what was pushed before and after the script has come is taken once, in order", async (t) => {
  const head = `<script>window.dataLayer = [{ event: "gtm.js" }, ${JSON.stringify(PURCHASE)}, { ecommerce: null }]</script>`;
  const { gateway, page } = await visit(t, { head, attributes: ATTRIBUTES });
  assert.equal(await push(page, { event: "refund", ecommerce: { transaction_id: "T2" } }), 4);
  await push(page, { event: "newsletter", ecommerce: {} });
  await call(page, "track", "Marker");
  await gateway.event("Marker");
  assert.deepEqual(summary(gateway), [["purchase", "T1"], ["refund", "T2"], ["Marker", undefined]]);
  assert.deepEqual(gateway.events[0].properties, PURCHASE.ecommerce);
});

test("gtag's pushes are understood, with the id that the page gave, and nothing about a person is taken", async (t) => {
  const head = `<script>window.dataLayer = []; function gtag() { dataLayer.push(arguments) } gtag("js", new Date()); gtag("config", "G-1"); gtag("event", "add_to_cart", { value: "49.75", currency: "EUR", items: [{ item_id: "S1", price: "49.75", quantity: "1" }], send_to: "G-1", user_data: { email: "a@shop.example" }, event_id: "e1", event_callback() {} })</script>`;
  const { gateway, page } = await visit(t, { head, attributes: ATTRIBUTES });
  const event = await gateway.event("add_to_cart");
  assert.equal(event.message_id, "e1");
  // Numbers written as text are numbers.
  assert.deepEqual(event.properties, { currency: "EUR", items: [{ item_id: "S1", price: 49.75, quantity: 1 }], value: 49.75 });
  await page.evaluate(() => window.gtag("event", "sign_up", { method: "mail" }));
  assert.deepEqual((await gateway.event("sign_up")).properties, { method: "mail" });
});

test("a push without an ecommerce object is read from its own fields", async (t) => {
  const { gateway, page } = await visit(t, { head: "<script>window.dataLayer = []</script>", attributes: ATTRIBUTES });
  await push(page, { event: "search", search_term: "shoe", email: "a@shop.example", "gtm.uniqueEventId": 4 });
  assert.deepEqual((await gateway.event("search")).properties, { search_term: "shoe" });
});

test("an order that is told for two tags is one purchase", async (t) => {
  const head = `<script>window.dataLayer = []; function gtag() { dataLayer.push(arguments) }</script>`;
  const { gateway, page } = await visit(t, { head, attributes: ATTRIBUTES });
  await push(page, PURCHASE);
  await page.evaluate((params) => window.gtag("event", "purchase", params), PURCHASE.ecommerce);
  for (const n of [1, 2]) await push(page, { event: "view_item", ecommerce: { n } });
  await call(page, "track", "Marker");
  await gateway.event("Marker");
  assert.deepEqual(summary(gateway), [["purchase", "T1"], ["view_item", 1], ["view_item", 2], ["Marker", undefined]]);
});

test("a layer that comes after the script is found, and one is not made", async (t) => {
  const { gateway, page } = await visit(t, { body: "<button>x</button>", attributes: ATTRIBUTES, clock: true });
  gateway.page("/next", "<html></html>");
  assert.equal(await page.evaluate(() => "dataLayer" in window), false);
  await page.evaluate((purchase) => (window.dataLayer = [purchase]), PURCHASE);
  await page.click("button");
  await quiet(page);
  await gateway.event("purchase");
  await page.evaluate(() => {
    window.dataLayer = [{ event: "refund", ecommerce: { transaction_id: "T9" } }];
    location.href = "/next";
  });
  await gateway.event("refund");
  await arrived(page, "/next");
});

test("another tag's hook on the layer goes on working", async (t) => {
  const head = `<script>window.dataLayer = []; window.theirs = []; dataLayer.push = function (e) { theirs.push(e.event); return Array.prototype.push.call(this, e) }</script>`;
  const { gateway, page } = await visit(t, { head, attributes: ATTRIBUTES });
  await push(page, PURCHASE);
  await gateway.event("purchase");
  assert.deepEqual(await page.evaluate(() => [window.theirs, window.dataLayer.length]), [["purchase"], 1]);
});

for (const [attribute, taken] of [['data-layer="off"', 0], ['data-layer="shopLayer"', 1]]) {
  test(`${attribute}`, async (t) => {
    const head = `<script>window.dataLayer = [${JSON.stringify(PURCHASE)}]; window.shopLayer = [{ event: "login" }]</script>`;
    const { gateway, page } = await visit(t, { head, attributes: `${ATTRIBUTES} ${attribute}` });
    await call(page, "track", "Marker");
    await gateway.event("Marker");
    assert.deepEqual([gateway.named("purchase").length, gateway.named("login").length], [0, taken]);
  });
}
