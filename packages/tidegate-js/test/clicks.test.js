import assert from "node:assert";
import { test } from "node:test";
import { arrived, call, visit } from "./browser.js";

const BODY = `
  <a id="inside" href="/inside">in</a>
  <a id="sub" href="http://help.www.shop.localhost/x">help</a>
  <a id="out" href="https://elsewhere.test/there?q=1#part"><b>out</b></a>
  <a id="mail" href="mailto:a@shop.example">mail</a>
  <a id="file" href="/files/price%20list.PDF?v=2">list</a>
  <a id="named" href="/export" download="all.dat">all</a>
  <a id="other" href="http://shop-b.localhost/cart?x=1">b</a>
  <form id="f1" name="contact" action="/send?token=1"><input name="name" value="secret-name"><input name="id" value="secret-id"><input name="action" value="x"><button>go</button></form>
  <div id="shadow"></div>
  <a href="https://around.test/"><div id="slotted"></div></a>
  <script>
    document.querySelector("#shadow").attachShadow({ mode: "open" }).innerHTML = '<a href="https://shadow.test/">s</a>';
    document.querySelector("#slotted").attachShadow({ mode: "open" }).innerHTML = "<b>card</b>";
    window.stay = (event) => event.preventDefault();
    addEventListener("click", stay);
    addEventListener("submit", stay);
    addEventListener("auxclick", stay);
  </script>`;
const OFF = 'data-page="off"';
const click = (page, selector) => page.evaluate((selector) => document.querySelector(selector).click(), selector);

test("outbound clicks, downloads and submissions are told, without any field's value", async (t) => {
  const { gateway, page } = await visit(t, { body: BODY, attributes: OFF });
  for (const id of ["inside", "sub", "out b", "mail", "file", "named"]) await click(page, `#${id}`);
  await page.evaluate(() => document.querySelector("#shadow").shadowRoot.querySelector("a").click());
  await page.evaluate(() => document.querySelector("#slotted").shadowRoot.querySelector("b").click());
  await page.evaluate(() => document.querySelector("#f1").requestSubmit());
  await call(page, "track", "Marker");
  await gateway.event("Marker");
  assert.deepEqual(gateway.events.map(({ event, properties }) => [event, properties]), [
    ["click", { link_url: "https://elsewhere.test/there?q=1", link_domain: "elsewhere.test", outbound: true }],
    ["file_download", { link_url: gateway.url("/files/price%20list.PDF?v=2"), file_name: "price%20list.PDF", file_extension: "PDF" }],
    ["file_download", { link_url: gateway.url("/export"), file_name: "export" }],
    ["click", { link_url: "https://shadow.test/", link_domain: "shadow.test", outbound: true }],
    ["click", { link_url: "https://around.test/", link_domain: "around.test", outbound: true }],
    ["form_submit", { form_id: "f1", form_name: "contact", form_destination: gateway.url("/send") }],
    ["Marker", undefined],
  ]);
  assert.equal(JSON.stringify(gateway.requests.map(({ body }) => body)).includes("secret"), false);
});

for (const attribute of ["data-outbound", "data-downloads", "data-forms"]) {
  test(`${attribute}="off" switches it off, and only it`, async (t) => {
    const { gateway, page } = await visit(t, { body: BODY, attributes: `${OFF} ${attribute}="off"` });
    for (const id of ["out", "file"]) await click(page, `#${id}`);
    await page.evaluate(() => document.querySelector("#f1").requestSubmit());
    await call(page, "track", "Marker");
    await gateway.event("Marker");
    const off = { "data-outbound": "click", "data-downloads": "file_download", "data-forms": "form_submit" }[attribute];
    assert.deepEqual(gateway.events.map(({ event }) => event), ["click", "file_download", "form_submit", "Marker"].filter((name) => name !== off));
  });
}

test("an outbound click arrives though the page is gone", async (t) => {
  const { gateway, page, context } = await visit(t, { body: `<a href="https://elsewhere.test/">out</a>`, clock: true });
  await context.route("https://elsewhere.test/", (route) => route.fulfill({ body: "there" }));
  await page.click("a");
  await gateway.event("click");
  assert.equal(gateway.requests.length, 1);
  await arrived(page, "https://elsewhere.test/");
});

test("links to the site's other domains carry what the gateway signed, and only while they are followed", async (t) => {
  const attributes = `data-domains="shop-b.localhost, shop-c.example" data-debug`;
  const { gateway, page } = await visit(t, { body: BODY, attributes, clock: true });
  gateway.extra = { link: "v1.k1.signed" };
  const answered = page.waitForEvent("console", (message) => message.text().includes("answered 200"));
  await page.clock.runFor(2_000);
  await answered;
  assert.equal(gateway.requests[0].body.link, true);
  const followed = await page.evaluate(() => {
    const seen = [];
    addEventListener("click", (event) => seen.push(event.target.href));
    for (const id of ["other", "out", "inside"]) document.getElementById(id).click();
    return seen;
  });
  assert.deepEqual(followed, ["http://shop-b.localhost/cart?x=1&_tgl=v1.k1.signed", "https://elsewhere.test/there?q=1#part", gateway.url("/inside")]);
  await page.clock.runFor(2_000);
  assert.equal(await page.getAttribute("#other", "href"), "http://shop-b.localhost/cart?x=1");
  await gateway.event("click");
  assert.deepEqual(gateway.named("click").map(({ properties }) => properties.link_domain), ["elsewhere.test"]);
  await call(page, "consent", "none");
  assert.equal(await page.evaluate(() => (document.getElementById("other").click(), document.getElementById("other").href)), "http://shop-b.localhost/cart?x=1");
});

test("what the gateway signed is not put into a link when it would come too late", async (t) => {
  const { gateway, page } = await visit(t, { body: BODY, attributes: `data-domains="shop-b.localhost" data-debug`, clock: true });
  gateway.extra = { link: "tok" };
  const answered = page.waitForEvent("console", (message) => message.text().includes("answered 200"));
  await page.clock.runFor(2_000);
  await answered;
  const href = () => page.evaluate(() => (document.getElementById("other").click(), document.getElementById("other").href));
  await page.clock.runFor(90_000);
  assert.equal(await href(), "http://shop-b.localhost/cart?x=1&_tgl=tok");
  await page.clock.runFor(20_000);
  assert.equal(await href(), "http://shop-b.localhost/cart?x=1");
});

test("a link to another domain is followed with the parameter", async (t) => {
  const { gateway, page, context } = await visit(t, { body: `<a href="https://shop-c.example/x">c</a>`, attributes: `data-domains="shop-c.example" data-debug`, clock: true });
  let followed;
  await context.route("https://shop-c.example/**", (route) => route.fulfill({ body: (followed = route.request().url()) }));
  gateway.extra = { link: "tok" };
  const answered = page.waitForEvent("console", (message) => message.text().includes("answered 200"));
  await page.clock.runFor(2_000);
  await answered;
  await page.click("a");
  await page.waitForURL("https://shop-c.example/**");
  assert.equal(followed, "https://shop-c.example/x?_tgl=tok");
});

test("what a link brought leaves the page's address, and is told to the gateway beside the events", async (t) => {
  const { gateway, page } = await visit(t, { path: "/cart?x=1&_tgl=l1.k1.signed" });
  const view = await gateway.event("page_view");
  assert.equal(await page.evaluate(() => location.pathname + location.search), "/cart?x=1");
  assert.equal(view.page.url, gateway.url("/cart?x=1"));
  assert.equal(gateway.requests[0].body.arrived, "l1.k1.signed");
  assert.equal(gateway.named("page_view").length, 1);
});

test("without other domains, no parameter is asked for", async (t) => {
  const { gateway } = await visit(t);
  await gateway.event("page_view");
  assert.equal("link" in gateway.requests[0].body, false);
});
