// The browser's cookie jar and its storages, as they are: not what an answer asked for, but what the browser keeps.

import assert from "node:assert";

const DAY_S = 86_400;

/** What the values of all clicks' parameters begin with; `of` makes the rest. */
const CLICKS = "gclid dclid wbraid gbraid fbclid ttclid msclkid ScCid twclid li_fat_id epik rdt_cid".split(" ");
/** A query with a click of each platform, whose values are the parameter's name and `which`. */
export const clicks = (which) => `?${CLICKS.map((name) => `${name}=${name}-${which}`).join("&")}`;

const [MS, S, UUID] = ["\\d{13}", "\\d{10}", "[\\da-f]{8}(?:-[\\da-f]{4}){3}-[\\da-f]{12}"];
const shape = (text, pattern) => ({ text, pattern: new RegExp(`^${pattern}$`) });

/** Every cookie that may be in the jar, in the order of docs/cookies.md: what its value is to look like. */
export const SHAPES = {
  "__Secure-tg_vid": shape("v1.<key>.<uuid>.<seconds>.<mac>", `v1\\.k1\\.${UUID}\\.${S}\\.[\\w-]{22}`),
  tg_consent: shape("v1.<level>.<seconds>", `v1\\.(none|analytics|marketing)\\.${S}`),
  _fbc: shape("fb.1.<ms>.<fbclid>", `fb\\.1\\.${MS}\\.fbclid-\\w+`),
  _fbp: shape("fb.1.<ms>.<random>", `fb\\.1\\.${MS}\\.\\d{1,10}`),
  _gcl_aw: shape("GCL.<seconds>.<gclid>", `GCL\\.${S}\\.gclid-\\w+`),
  _gcl_dc: shape("GCL.<seconds>.<dclid>", `GCL\\.${S}\\.dclid-\\w+`),
  _gcl_gb: shape("GCL.<seconds>.<wbraid>", `GCL\\.${S}\\.wbraid-\\w+`),
  _gcl_ag: shape("2.1.k<gbraid>$i<seconds>", `2\\.1\\.kgbraid-\\w+\\$i${S}`),
  ttclid: shape("<ttclid>", "ttclid-\\w+"),
  _uetmsclkid: shape("_uet<msclkid>", "_uetmsclkid-\\w+"),
  _scclid: shape("<ScCid>", "ScCid-\\w+"),
  twclid: shape("<twclid>", "twclid-\\w+"),
  li_fat_id: shape("<li_fat_id>", "li_fat_id-\\w+"),
  _epik: shape("<epik>", "epik-\\w+"),
  _rdt_cid: shape("<rdt_cid>", "rdt_cid-\\w+"),
  _ga: shape("GA1.1.<random>.<seconds>", `GA1\\.1\\.\\d+\\.${S}`),
  _ga_TIDEGATE00: shape("GS2.1.s<seconds>$…", `GS2\\.1\\.s${S}\\$o1\\$g1\\$t${S}\\$j60`),
  _ttp: shape("<id>", "ttp-\\w+"),
  _scid: shape("<uuid>", UUID),
  _uetvid: shape("<id>", "uetvid-\\w+"),
  _rdt_uuid: shape("<ms>.<uuid>", `${MS}\\.${UUID}`),
};

/** The cookies that the platforms' own tags make at a level, as such tags write them: for a week only, as in Safari. */
export function tagsCookies(level) {
  const [ms, s] = [Date.now(), Math.floor(Date.now() / 1000)];
  const id = "0f4cf1e4-7a51-4c2c-9b1f-0d3a5e6f7a8b";
  const named = {
    analytics: { _ga: `GA1.1.123456789.${s}`, _ga_TIDEGATE00: `GS2.1.s${s}$o1$g1$t${s}$j60` },
    marketing: { _ttp: "ttp-1", _scid: id, _uetvid: "uetvid-1", _rdt_uuid: `${ms}.${id}` },
  }[level];
  const attributes = `domain=shop.test; path=/; max-age=${7 * DAY_S}; secure; samesite=lax`;
  return Object.entries(named).map(([name, value]) => `${name}=${value}; ${attributes}`);
}

/** The jar by name: `{ value, domain, path, flags, days }`. Each cookie is expected, looks as it should, and is there once. */
export async function jar(context) {
  const cookies = {};
  for (const { name, value, domain, path, expires, httpOnly, secure, sameSite } of await context.cookies()) {
    assert.ok(SHAPES[name], `the browser keeps a cookie that nobody expects: ${name}=${value}`);
    assert.match(value, SHAPES[name].pattern, `the value of ${name}`);
    assert.ok(!cookies[name], `${name} is there twice: for ${domain} and ${cookies[name]?.domain}`);
    const flags = [secure && "Secure", httpOnly && "HttpOnly", `SameSite=${sameSite}`].filter(Boolean).join("; ");
    const days = expires < 0 ? 0 : Math.round((expires - Date.now() / 1000) / DAY_S);
    cookies[name] = { value, domain, path, flags, days };
  }
  return cookies;
}

/** Lets the browser's cookies end in so many days, as if they had been there for long. */
export async function shorten(context, days) {
  const cookies = await context.cookies();
  const expires = Date.now() / 1000 + days * DAY_S;
  await context.clearCookies();
  await context.addCookies(cookies.map((cookie) => ({ ...cookie, expires })));
}

/** All that the browser keeps for a page, beside what its HTTP cache has. */
export async function written(page) {
  const kept = await page.evaluate(async () => ({
    local: Object.keys(localStorage),
    session: Object.keys(sessionStorage),
    databases: (await indexedDB.databases()).map(({ name }) => name),
    caches: await caches.keys(),
    workers: (await navigator.serviceWorker.getRegistrations()).length,
  }));
  return { ...kept, cookies: (await page.context().cookies()).map(({ name }) => name) };
}

export const NOTHING = { local: [], session: [], databases: [], caches: [], workers: 0, cookies: [] };
