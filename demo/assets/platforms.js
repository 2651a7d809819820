// Shows what each fake platform received. Everything here may be hostile, so all of it is text.

const POLL_MS = 1000;
const MOODS = {
  normal: "answers normally", down: "is down", throttled: "throttles", partial: "refuses the first event of each request",
  refusing: "refuses everything (400)", unauthorized: "refuses the credentials", silent: "never answers",
};
/** The same in a word or two. */
const MOODS_SHORT = { down: "down", throttled: "throttles", partial: "refuses one", refusing: "refuses all", unauthorized: "no access", silent: "silent" };
/** What the gateway then does. */
const AGAIN = "Events wait and are sent again, with growing delays; the dashboard has them as waiting. No other platform is slower for it.";
const THEN = {
  down: AGAIN, throttled: AGAIN, silent: AGAIN, partial: "What it refuses becomes a dead letter, with its reason; where it can take a part of a request, it gets the rest.",
  refusing: "Events become dead letters. Let it answer normally, and replay them in the dashboard.",
  unauthorized: "The destination is parked: events wait, and one tries now and then, first after half a minute.",
};
/** The address's hash of all platforms together. */
const ALL = "all";

const byId = (id) => document.getElementById(id);
const state = { platforms: [], chosen: null, shown: "", round: 0 };
const rows = new Map();
const articles = new Map();

function el(name, className, ...children) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
/** `Meta Conversions API: conversions to …` is a title, and what it is about. */
const title = (platform) => platform.summary.split(/[:,]/)[0];
const about = (platform) => platform.summary.slice(title(platform).length).replace(/^[:,]\s*/, "");
const needsMarketing = (platform) => platform.purposes?.some((purpose) => purpose.startsWith("ad-"));

// ---- the list ------------------------------------------------------------------------------------------------------

function build() {
  const group = (name, platforms) => platforms.length ? [el("h3", "", name), ...platforms.map((one) => row(one.plugin, title(one)))] : [];
  byId("list").replaceChildren(row(ALL, "Everything, newest first"),
    ...group("With consent to marketing", state.platforms.filter(needsMarketing)),
    ...group("With consent to analytics, or more", state.platforms.filter((one) => !needsMarketing(one))));
}

function row(id, name) {
  const number = el("span", "number");
  const mood = el("i", "");
  const link = el("a", "row", el("span", "title", name, mood), number);
  link.href = `#${id}`;
  rows.set(id, { link, number, mood, name, events: null });
  return link;
}

function drawList() {
  if (rows.size !== state.platforms.length + 1) build();
  const sum = (key) => state.platforms.reduce((total, one) => total + one[key], 0);
  byId("how-many").textContent = state.platforms.length === 1 ? "A fake platform runs" : `${state.platforms.length} fake platforms run`;
  drawRow(ALL, { events: sum("events"), problems: sum("problems"), mood: "normal", requests: sum("requests") });
  for (const one of state.platforms) drawRow(one.plugin, one);
  byId("calm").hidden = state.platforms.every((one) => one.mood === "normal");
  filter();
}

function drawRow(id, { events, problems, mood, requests }) {
  const known = rows.get(id);
  known.number.textContent = requests ? count(events, "event") : "–";
  known.number.className = `number ${requests && !events && problems ? "wrong" : requests ? "some" : ""}`;
  known.mood.textContent = mood === "normal" ? "" : ` · ${MOODS_SHORT[mood]}`;
  known.link.classList.toggle("new", known.events !== null && events > known.events);
  known.events = events;
  known.link.setAttribute("aria-current", String(id === chosen()));
}

function filter() {
  const words = byId("filter").value.trim().toLowerCase();
  for (const [id, { link, name }] of rows) link.hidden = words !== "" && !`${id} ${name}`.toLowerCase().includes(words);
}

// ---- one platform --------------------------------------------------------------------------------------------------

const chosen = () => decodeURIComponent(location.hash.slice(1)) || ALL;

function drawHead() {
  const platform = state.platforms.find((one) => one.plugin === chosen());
  if (!platform) {
    byId("head").replaceChildren(el("h2", "", "Everything, newest first"), el("p", "", "Requests to all platforms. Open one to see what it carries."));
    return;
  }
  const facts = byId("head").querySelector(".facts") ?? el("p", "facts");
  facts.textContent = [`destination ${platform.plugin}`, platform.url, `${count(platform.events, "event")} taken in ${count(platform.requests, "request")}`].join(" · ");
  if (facts.isConnected) return;
  byId("head").replaceChildren(el("h2", "", title(platform)), el("p", "", about(platform)), facts, moods(platform));
}

/** A choice of how the platform answers from now on, in its own documented way where it has one. */
function moods({ plugin, mood: now }) {
  const hint = el("p", "hint", THEN[now] ?? "");
  const select = el("select", "", ...Object.entries(MOODS).map(([mood, text]) => new Option(text, mood)));
  select.value = now;
  select.classList.toggle("bad", now !== "normal");
  select.addEventListener("change", async () => {
    select.classList.toggle("bad", select.value !== "normal");
    hint.textContent = THEN[select.value] ?? "";
    await behave(plugin, select.value);
    await refresh();
  });
  return el("div", "", el("label", "mood", "From now on it ", select), hint);
}

const behave = (plugin, mood) => fetch(`/platforms/${encodeURIComponent(plugin)}/mood`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(mood) });

async function drawRequests(wanted) {
  const response = await fetch(`/requests.json${wanted === ALL ? "" : `?plugin=${encodeURIComponent(wanted)}`}`);
  if (!response.ok || wanted !== chosen()) return;
  const requests = await response.json();
  const root = byId("requests");
  const first = articles.size === 0 && wanted !== ALL;
  const ids = new Set(requests.map((request) => request.id));
  for (const [id, article] of articles) {
    if (ids.has(id)) continue;
    article.remove();
    articles.delete(id);
  }
  // What is there already stays as it is: whoever reads it keeps their place.
  for (const request of requests.toReversed()) {
    if (articles.has(request.id)) continue;
    const made = article(request, wanted === ALL);
    articles.set(request.id, made);
    root.prepend(made);
  }
  if (first && root.firstElementChild) root.firstElementChild.open = true;
  byId("nothing").hidden = requests.length > 0;
  byId("nothing").textContent = wanted === ALL ? "Nothing yet. Buy something in the shop, and it is here within two seconds."
    : "Nothing yet. Either no event was meant for it, or the consent forbade it: the dashboard says which.";
}

function article(request, named) {
  const good = request.status >= 200 && request.status < 300;
  const status = el("span", good ? "status" : "status bad", request.status === null ? "no answer" : String(request.status));
  const time = el("time", "", new Date(request.arrived_ms).toLocaleTimeString([], { hourCycle: "h23" }));
  const platform = state.platforms.find((one) => one.plugin === request.plugin);
  const name = el("b", "", named ? el("i", "", `${platform ? title(platform) : request.plugin}: `) : null, what(request));
  const problems = request.problems.map((problem) => el("div", "", problem));
  const box = el("details", "request", el("summary", "", status, name, time, problems.length ? el("div", "problem", ...problems) : null));
  // Filled when it is opened for the first time: most never are.
  box.addEventListener("toggle", () => box.childElementCount > 1 || box.append(inside(request)));
  return box;
}

/** The events in a request: `page_view, purchase ×2`, or what else it is. */
function what({ names, taken, method, target }) {
  const each = new Map();
  for (const name of names) each.set(name, (each.get(name) ?? 0) + 1);
  const list = [...each].map(([name, times]) => times > 1 ? `${name} ×${times}` : name).join(", ");
  if (list) return list;
  return taken ? count(taken, "event") : `${method} ${target.split("?")[0]}`;
}

function inside(request) {
  const headers = el("details", "", el("summary", "", "Headers"), el("pre", "", request.headers.map(([name, value]) => `${name}: ${value}`).join("\n")));
  return el("div", "inside", el("p", "path", `${request.method} ${request.target}`), body(request), headers);
}

/** JSON, lines of JSON, a form's fields, or whatever it is. */
function body({ json, text, headers }) {
  if (json !== null) return colours(JSON.stringify(json, null, 2));
  const kind = headers.find(([name]) => name === "content-type")?.[1] ?? "";
  if (kind.startsWith("application/x-www-form-urlencoded")) return el("pre", "", [...new URLSearchParams(text)].map(([name, value]) => `${name} = ${value}`).join("\n"));
  try {
    return colours(text.trim().split("\n").map((line) => JSON.stringify(JSON.parse(line), null, 2)).join("\n"));
  } catch {
    return el("pre", "", text === "" ? "(no body)" : text);
  }
}

function colours(text) {
  const pre = el("pre", "");
  let done = 0;
  for (const token of text.matchAll(/("(?:\\.|[^"\\])*")(\s*:)?|(-?\d[\d.eE+-]*|true|false|null)/g)) {
    const [whole, quoted, colon] = token;
    pre.append(text.slice(done, token.index), el("span", quoted ? (colon ? "key" : "text") : "other", quoted ?? whole), colon ?? "");
    done = token.index + whole.length;
  }
  pre.append(text.slice(done));
  return pre;
}

// ---- again and again -----------------------------------------------------------------------------------------------

async function refresh() {
  const response = await fetch("/platforms.json");
  if (!response.ok) return;
  state.platforms = await response.json();
  drawList();
  drawHead();
  const wanted = chosen();
  const of = state.platforms.filter((one) => wanted === ALL || one.plugin === wanted);
  const shown = `${wanted} ${of.map((one) => one.requests).join(" ")}`;
  if (shown === state.shown) return;
  await drawRequests(wanted);
  state.shown = shown;
}

async function poll() {
  if (!document.hidden && !byId("pause").checked) await refresh().catch(() => {});
  setTimeout(poll, POLL_MS);
}

function choose() {
  document.body.classList.toggle("chosen", location.hash.length > 1);
  articles.clear();
  byId("requests").replaceChildren();
  byId("head").replaceChildren();
  byId("nothing").hidden = true;
  state.shown = "";
  if (location.hash.length > 1) window.scrollTo(0, 0);
  refresh().catch(() => {});
}

byId("filter").addEventListener("input", filter);
byId("calm").addEventListener("click", async () => {
  const moody = state.platforms.filter((one) => one.mood !== "normal");
  await Promise.all(moody.map((one) => behave(one.plugin, "normal")));
  choose();
});
window.addEventListener("hashchange", choose);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh().catch(() => {}); });
document.body.classList.toggle("chosen", location.hash.length > 1);
poll();
