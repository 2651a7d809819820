import assert from "node:assert";
import { test } from "node:test";
import { STUB, call, quiet, visit } from "./browser.js";
import { PIXELS, told } from "./page.js";

const CONSENTED = `${STUB}${PIXELS}<script>tidegate("consent", "marketing")</script>`;
const PURCHASE = { value: 99.5, currency: "EUR", order_id: "T1", items: [{ item_id: "S1", price: 49.75, quantity: 2 }] };

test("the pixels are told the event under the gateway's id, and Google's tag does not bring it back", async (t) => {
  const { gateway, page } = await visit(t, { head: CONSENTED, attributes: "data-fbq data-gtag", clock: true });
  await quiet(page);
  const id = await call(page, "track", "purchase", PURCHASE);
  await call(page, "track", "Order Completed", { order_value: 5 });
  await call(page, "track", "Trial Started");
  await quiet(page);
  await gateway.event("Trial Started");
  const { meta, google } = await told(page);
  const view = gateway.named("page_view")[0].message_id;
  const contents = [{ id: "S1", quantity: 2, item_price: 49.75 }];
  assert.deepEqual(meta[0].slice(0, 2).concat(meta[0][3]), ["track", "PageView", { eventID: view }]);
  assert.deepEqual(JSON.parse(JSON.stringify(meta[1])), ["track", "Purchase", { value: 99.5, currency: "EUR", contents, content_ids: ["S1"], content_type: "product", order_id: "T1" }, { eventID: id }]);
  assert.deepEqual([meta[2][1], meta[2][2].value, meta[3].slice(0, 2)], ["Purchase", 5, ["trackCustom", "Trial Started"]]);
  assert.deepEqual(google[0], ["event", "purchase", { ...PURCHASE, event_id: id, transaction_id: "T1" }]);
  assert.deepEqual(gateway.named("purchase").map(({ message_id }) => message_id), [id]);
  assert.deepEqual(gateway.events.map(({ message_id }) => message_id).slice(1), google.map(([, , { event_id }]) => event_id));
});

test("what Google's tag was told first is told to Meta's pixel only", async (t) => {
  const { gateway, page } = await visit(t, { head: CONSENTED, attributes: 'data-page="off" data-fbq data-gtag' });
  await page.evaluate((purchase) => window.gtag("event", "purchase", purchase), PURCHASE);
  const { message_id } = await gateway.event("purchase");
  const { meta, google } = await told(page);
  assert.deepEqual([meta.length, meta[0][3], google.length], [1, { eventID: message_id }, 1]);
  assert.equal(message_id, await page.evaluate(() => window.tidegate.lastEventId));
});

test("no pixel is told unless the tag asks for it, or without consent", async (t) => {
  const { gateway, page } = await visit(t, { head: CONSENTED });
  await call(page, "track", "purchase", PURCHASE);
  await gateway.event("purchase");
  assert.deepEqual(await told(page), { meta: [], google: [] });

  const asked = await visit(t, { head: `${STUB}${PIXELS}<script>tidegate("consent", "analytics")</script>`, attributes: "data-fbq data-gtag" });
  await call(asked.page, "track", "login");
  await call(asked.page, "consent", "none");
  await call(asked.page, "track", "sign_up");
  await asked.gateway.event("sign_up");
  const { meta, google } = await told(asked.page);
  assert.deepEqual([meta, google.map(([, name]) => name)], [[], ["login"]]);
});

test("before any consent was told, no pixel is told", async (t) => {
  const { gateway, page } = await visit(t, { head: PIXELS, attributes: "data-fbq data-gtag" });
  await call(page, "track", "purchase", PURCHASE);
  await gateway.event("purchase");
  assert.deepEqual(await told(page), { meta: [], google: [] });
});

test("Global Privacy Control keeps an event from Meta's pixel", async (t) => {
  const head = `${CONSENTED}<script>Object.defineProperty(navigator, "globalPrivacyControl", { value: true })</script>`;
  const { page } = await visit(t, { head, attributes: 'data-page="off" data-fbq data-gtag' });
  await call(page, "track", "login");
  const { meta, google } = await told(page);
  assert.deepEqual([meta, google.map(([, name]) => name)], [[], ["login"]]);
});

test("while consent is awaited, the pixels wait too", async (t) => {
  const { gateway, page } = await visit(t, { head: PIXELS, attributes: 'data-page="off" data-fbq data-consent="wait"' });
  const id = await call(page, "track", "purchase", PURCHASE);
  assert.deepEqual((await told(page)).meta, []);
  await call(page, "consent", "marketing");
  assert.deepEqual((await told(page)).meta[0][3], { eventID: id });
  assert.equal((await gateway.event("purchase")).message_id, id);
});

test("a pixel that throws neither loses the event nor breaks the page", async (t) => {
  const head = `${CONSENTED}<script>window.fbq = () => { throw new Error("theirs") }</script>`;
  const { gateway, page } = await visit(t, { head, attributes: "data-fbq" });
  const id = await call(page, "track", "purchase", PURCHASE);
  assert.equal((await gateway.event("purchase")).message_id, id);
});
