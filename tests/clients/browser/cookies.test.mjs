// The cookie jar of a real browser, before consent and after each step of it, and the page of the documentation that shows it.

import assert from "node:assert";
import { test } from "node:test";
import { compare, matrix, outcomes } from "./cookie_page.mjs";
import { KEYS } from "./gateway.mjs";
import { clicks, jar, NOTHING, shorten, tagsCookies, written } from "./jar.mjs";
import { answered, call, emptyBrowser, stack, STUB, tab, visit } from "./stack.mjs";

/** Where the page is, and how it reaches the gateway. */
const SETUPS = [
  { name: "a page on `www.shop.test`, the gateway on `track.shop.test`", host: "www.shop.test" },
  { name: "a page on `shop.test`, the gateway on `track.shop.test`", host: "shop.test" },
  { name: "a page on `www.shop.test` in path mode", host: "www.shop.test", path: true },
  { name: "a page on `shop.test` in path mode", host: "shop.test", path: true },
];
const pathTag = (world) => world.gateway.tag("", { src: "/t/lamps.js", key: KEYS.path });
const consent = (level) => `${STUB}<script>tidegate("consent", "${level}")</script>`;

/** Shows a page whose page view is answered before this goes on. */
async function view(t, world, options) {
  const page = options.page ?? (await tab(t, world.context));
  const answer = answered(page, "page_view");
  await visit(t, world, { ...options, page });
  assert.equal((await answer).status(), 200);
  return page;
}

/** Tells of consent, and waits until the gateway has heard it. */
async function say(page, level) {
  const answer = answered(page, "consent_updated");
  await call(page, "consent", level);
  assert.equal((await answer).status(), 200);
}

const asTags = (page, level) => page.evaluate((lines) => lines.forEach((line) => (document.cookie = line)), tagsCookies(level));

/** A visitor's whole story: the jar after each step, by the step's name. */
async function story(t, world, { host, path }) {
  const jars = {};
  const context = await emptyBrowser(t);
  const here = { ...world, context };
  const tag = path ? pathTag(world) : undefined;
  const note = async (step) => (jars[step] = await jar(context));

  const page = await view(t, here, { host, tag, path: `/${clicks("first")}` });
  await note("before consent");
  assert.deepEqual(await written(page), NOTHING, "before consent");
  await asTags(page, "analytics");
  await say(page, "analytics");
  await note("analytics");
  await asTags(page, "marketing");
  await say(page, "marketing");
  await note("marketing");
  await shorten(context, 3);
  await view(t, here, { host, tag, page, path: `/${clicks("first")}`, head: consent("marketing") });
  await note("the same click");
  await shorten(context, 3);
  await view(t, here, { host, tag, page });
  await note("nothing said");
  await view(t, here, { host, tag, page, path: `/${clicks("second")}`, head: consent("marketing") });
  await note("another click");
  await say(page, "analytics");
  await note("only analytics");
  await say(page, "none");
  await note("withdrawn");
  await view(t, here, { host, tag, page, path: `/${clicks("third")}` });
  await note("after that");
  return jars;
}

test("the cookie jar is what docs/cookies.md shows, on every host and in path mode", async (t) => {
  const world = await stack(t);
  const stories = [];
  for (const setup of SETUPS) stories.push({ name: setup.name, jars: await story(t, world, setup) });
  for (const { name, jars } of stories) assertStory(name, jars);
  compare("story", matrix(stories));
});

function assertStory(name, jars) {
  const values = (step, cookie) => jars[step][cookie]?.value;
  const names = (step) => Object.keys(jars[step]).sort();
  const same = (cookie, one, other) => assert.equal(values(one, cookie), values(other, cookie), `${cookie}: ${name}`);

  assert.deepEqual(jars["before consent"], {}, name);
  assert.deepEqual(names("analytics"), ["__Secure-tg_vid", "_ga", "_ga_TIDEGATE00", "tg_consent"], name);
  assert.equal(names("marketing").length, 21, `every cookie of the table: ${name}`);
  assert.deepEqual(names("only analytics"), names("analytics"), name);
  for (const step of ["withdrawn", "after that"]) assert.deepEqual(names(step), ["tg_consent"], `${step}: ${name}`);
  for (const step of ["the same click", "nothing said", "another click"]) {
    assert.deepEqual(names(step), names("marketing"), `${step}: ${name}`);
  }

  const visitor = "__Secure-tg_vid";
  for (const step of ["marketing", "the same click", "nothing said", "another click", "only analytics"]) same(visitor, "analytics", step);
  for (const cookie of names("marketing").filter((cookie) => cookie !== "tg_consent")) {
    same(cookie, "marketing", "the same click");
    same(cookie, "marketing", "nothing said");
    const ofClick = values("marketing", cookie).includes("-first");
    if (ofClick) assert.ok(values("another click", cookie).includes("-second"), `${cookie}: ${name}`);
    else same(cookie, "marketing", "another click");
  }
  const level = (step) => values(step, "tg_consent").split(".")[1];
  const told = ["analytics", "marketing", "the same click", "nothing said", "another click", "only analytics", "withdrawn", "after that"];
  assert.deepEqual(told.map(level), ["analytics", "marketing", "marketing", "marketing", "marketing", "analytics", "none", "none"], name);
}

test("what is written before consent would be seen", async (t) => {
  const world = await stack(t);
  const page = await view(t, world, {});
  assert.deepEqual(await written(page), NOTHING);
  await page.evaluate(async () => {
    localStorage.a = sessionStorage.b = document.cookie = "c=1";
    await caches.open("d");
    await new Promise((resolve) => (indexedDB.open("e").onsuccess = resolve));
  });
  const seen = { local: ["a"], session: ["b"], databases: ["e"], caches: ["d"], workers: 0, cookies: ["c"] };
  assert.deepEqual(await written(page), seen);
});

test("who is asked for nothing, or refuses by the browser itself, is given what that allows", async (t) => {
  const world = await stack(t);
  const cases = [];
  const note = async (name, context) => cases.push({ name, jar: await jar(context) });

  const gpc = await emptyBrowser(t, { extraHTTPHeaders: { "sec-gpc": "1" } });
  await view(t, { ...world, context: gpc }, { path: `/${clicks("first")}`, head: consent("marketing") });
  await note("marketing is told, and the browser sends `Sec-GPC: 1`", gpc);

  const bare = await emptyBrowser(t);
  const tag = world.gateway.tag("", { src: `${world.gateway.bare}/t.js`, key: KEYS.bare });
  await view(t, { ...world, context: bare }, { path: `/${clicks("first")}`, head: consent("marketing"), tag });
  await note("marketing is told to a site with `cookieless = true`", bare);

  const led = await emptyBrowser(t);
  const page = await tab(t, led);
  world.shop.page("/lamps", {});
  const to = encodeURIComponent(world.shop.url("/lamps"));
  await page.goto(`${world.gateway.origin}/r${clicks("first")}&to=${to}`);
  assert.equal(page.url(), world.shop.url(`/lamps${clicks("first")}`));
  await note("an ad leads through `/r`, and nothing was told yet", led);

  await view(t, { ...world, context: led }, { head: consent("marketing"), page });
  await page.goto(`${world.gateway.origin}/r${clicks("second")}&to=${to}`);
  assert.ok((await jar(led))._fbc.value.endsWith("fbclid-second"));
  await note("an ad leads through `/r`, and marketing was told before", led);
  compare("cases", outcomes(cases));
});

test("a cookie that a script set for one host alone is taken back in path mode", async (t) => {
  const world = await stack(t);
  for (const [tag, expected] of [[undefined, ["_ttp", "tg_consent"]], [pathTag(world), ["tg_consent"]]]) {
    const context = await emptyBrowser(t);
    const page = await view(t, { ...world, context }, { head: consent("marketing"), tag });
    await page.evaluate(() => (document.cookie = "_ttp=ttp-1; path=/; max-age=604800"));
    await say(page, "none");
    assert.deepEqual(Object.keys(await jar(context)).sort(), expected);
  }
});

test("a visitor who follows a link to the site's other domain stays the same, as far as consent goes", async (t) => {
  const world = await stack(t);
  const { shop, gateway } = world;
  const to = shop.url("/arrived", "www.other.test");
  const arrivedTag = gateway.tag("", { src: `${gateway.other}/t.js` });
  for (const level of ["marketing", "none"]) {
    const context = await emptyBrowser(t);
    const here = { ...world, context };
    const tag = gateway.tag('data-domains="other.test"');
    const page = await view(t, here, { path: "/?fbclid=fbclid-first", head: consent(level), body: `<a href="${to}">on</a>`, tag });
    shop.page("/arrived", { head: consent("marketing") + arrivedTag });
    const [answer] = await Promise.all([page.waitForResponse((answer) => answer.url() === `${gateway.other}/v1/events`), page.click("a")]);
    assert.equal(answer.status(), 200);
    assert.equal(page.url(), to, "nothing of the link stays in the address");

    const cookies = await context.cookies();
    const value = (name, domain) => cookies.find((cookie) => cookie.name === name && cookie.domain === domain)?.value;
    const visitor = (domain) => value("__Secure-tg_vid", domain)?.split(".")[2];
    assert.ok(visitor(".other.test"));
    const followed = level === "marketing";
    assert.equal(visitor(".shop.test") === visitor(".other.test"), followed, `${level} on the first domain`);
    assert.equal(value("_fbc", ".other.test")?.split(".").pop(), followed ? "fbclid-first" : undefined);
    const [{ message_id }] = JSON.parse(answer.request().postData()).events;
    assert.equal((await gateway.trace(message_id)).event.anonymous_id, visitor(".other.test"));
  }
});
