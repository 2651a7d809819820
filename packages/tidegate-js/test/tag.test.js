import assert from "node:assert";
import { test } from "node:test";
import { call, line, loaded, stack, tab, visit } from "./browser.js";
import { KEY } from "./gateway.js";

test("a strict policy without inline scripts is enough, and one global is all there is", async (t) => {
  const { gateway, context } = await stack(t);
  const [track] = [`http://track.shop.localhost:${gateway.port}`];
  const headers = { "content-security-policy": `default-src 'none'; script-src ${track}; connect-src ${track}; require-trusted-types-for 'script'` };
  const before = await tab(t, context);
  gateway.page("/plain", "<html></html>");
  await before.goto(gateway.url("/plain"));
  const plain = await before.evaluate(() => Object.getOwnPropertyNames(window));
  const page = await tab(t, context);
  gateway.page("/", `<html><head>${gateway.tag()}</head></html>`, headers);
  await page.goto(gateway.url("/"));
  await gateway.event("page_view");
  const more = await page.evaluate(() => Object.getOwnPropertyNames(window));
  assert.deepEqual(more.filter((name) => !plain.includes(name)), ["tidegate"]);
  assert.deepEqual(page.lines.filter((line) => /policy/i.test(line)), []);
});

test("in path mode events go to the folder that the script lies in", async (t) => {
  const { gateway, context } = await stack(t);
  await visit(t, { over: { gateway, context }, tag: gateway.tag("", { src: "/t/tidegate.js" }) });
  await gateway.event("page_view");
  assert.equal(gateway.requests[0].path, "/t/v1/events");
  assert.equal(gateway.requests[0].headers.host, `www.shop.localhost:${gateway.port}`);
});

test("data-endpoint says where events go", async (t) => {
  const { gateway } = await visit(t, { attributes: 'data-endpoint="/own/v1/events"' });
  await gateway.event("page_view");
  assert.equal(gateway.requests[0].path, "/own/v1/events");
});

test("a tag that stands twice counts once", async (t) => {
  const { gateway, context } = await stack(t);
  const { page } = await visit(t, { over: { gateway, context }, tag: gateway.tag() + gateway.tag() });
  await page.waitForLoadState();
  await call(page, "track", "Marker");
  await gateway.event("Marker");
  assert.equal(gateway.named("page_view").length, 1);
});

test("a tag without a key says so, and nothing is sent", async (t) => {
  const { gateway, context } = await stack(t);
  const page = await tab(t, context);
  gateway.page("/", `<html><head>${gateway.tag("", { key: "" })}</head></html>`);
  await page.goto(gateway.url("/"));
  assert.deepEqual(page.lines.filter((line) => line.startsWith("tidegate:")), ["tidegate: the tag needs data-key"]);
  assert.equal(gateway.requests.length, 0);
});

test("data-debug shows what was sent and what the gateway answered; without it nothing is shown", async (t) => {
  const { page } = await visit(t, { attributes: "data-debug" });
  await line(page, "answered 200");
  assert.ok(page.lines.some((line) => line.startsWith("tidegate: sent")));
  const quiet = await visit(t);
  await quiet.gateway.event("page_view");
  await loaded(quiet.page);
  assert.deepEqual(quiet.page.lines.filter((line) => line.startsWith("tidegate:")), []);
});

test("every call gives the event's id, and reset forgets who it was", async (t) => {
  const { gateway, page } = await visit(t, { attributes: 'data-page="off"' });
  const identified = await call(page, "identify", "c1", { email: "a@shop.example" }, { id: "i1" });
  assert.equal(identified, "i1");
  const id = await call(page, "track", "One");
  assert.equal(id, await page.evaluate(() => window.tidegate.lastEventId));
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  await call(page, "reset");
  assert.equal(await page.evaluate(() => window.tidegate.lastEventId), undefined);
  await call(page, "track", "Two");
  await call(page, "track", "Two", {}, { id });
  await call(page, "track", "Three");
  await gateway.event("Three");
  assert.deepEqual(gateway.events.map(({ event, customer_id }) => [event, customer_id]), [["identify", "c1"], ["One", "c1"], ["Two", undefined], ["Three", undefined]]);
});

test("ids are UUIDs where there is no HTTPS too", async (t) => {
  const { gateway, context } = await stack(t);
  const { page } = await visit(t, { over: { gateway, context }, host: "www.shop.test", tag: gateway.tag("", { src: "/t.js" }) });
  assert.equal(await page.evaluate(() => isSecureContext), false);
  const { message_id } = await gateway.event("page_view");
  assert.match(message_id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(gateway.requests[0].body.writeKey, KEY);
});
