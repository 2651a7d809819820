// The admin listener's one page: destinations, the last events, dead letters, and an event's trace.
// Events hold whatever visitors sent, so every text goes in as text, never as markup.

const POLL_MS = 2000;
const EVENTS_MAX = 50;
const TOKEN = "tidegate-token";
const KINDS = { delivered: "good", waiting: "wait", dead: "bad", refused: "bad", parked: "bad", lost: "bad" };
/** What an event may still become something else from. */
const UNFINISHED = new Set(["waiting", "accepted", "queued"]);

const byId = (id) => document.getElementById(id);
const state = { token: null, list: "events", events: [], dead: [], status: null, open: null, traceText: "", unfinished: true, selected: new Set(), failures: 0 };

/** Makes an element: `el("p", "class", "text", child)`. */
function el(name, className, ...children) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const kindOf = (outcome) => KINDS[outcome] ?? "";
const badge = (text, kind = "") => el("span", `badge ${kind}`, String(text));
const short = (digest) => String(digest ?? "").replace(/^sha256[:-]/, "").slice(0, 12);

// ---- times and JSON ------------------------------------------------------------------------------------------------

/** Milliseconds of Unix time, or ISO 8601. */
const date = (at) => new Date(at);

function when(at) {
  const time = el("time", "");
  const moment = date(at);
  if (Number.isNaN(moment.getTime())) return el("span", "", String(at ?? ""));
  time.dateTime = moment.toISOString();
  time.title = moment.toISOString();
  const today = moment.toDateString() === new Date().toDateString();
  const clock = `${moment.toLocaleTimeString([], { hourCycle: "h23" })}.${String(moment.getMilliseconds()).padStart(3, "0")}`;
  time.textContent = today ? clock : `${moment.toLocaleDateString()} ${clock}`;
  return time;
}

function span(ms) {
  if (ms === null || ms === undefined) return "";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

/** A value as JSON, indented and coloured; a text that is JSON is shown as what it says. */
function json(value) {
  let shown = value;
  if (typeof value === "string") {
    try { shown = JSON.parse(value); } catch { return el("pre", "", value === "" ? "(empty)" : value); }
  }
  const pre = el("pre", "");
  const text = JSON.stringify(shown, null, 2) ?? "";
  const tokens = /("(?:\\.|[^"\\])*")(\s*:)?|(-?\d[\d.eE+-]*|true|false|null)/g;
  let done = 0;
  for (const token of text.matchAll(tokens)) {
    pre.append(text.slice(done, token.index));
    const [whole, quoted, colon] = token;
    pre.append(el("span", quoted ? (colon ? "key" : "text") : "other", quoted ?? whole), colon ?? "");
    done = token.index + whole.length;
  }
  pre.append(text.slice(done));
  return pre;
}

/** A part that opens; `key` is what it is recognised by when the trace is drawn again. */
function fold(key, label, content, hint) {
  const details = el("details", "", el("summary", "", label, hint ? el("span", "soft", ` ${hint}`) : null), content);
  details.dataset.key = key;
  return details;
}

function facts(pairs) {
  const list = el("dl", "facts");
  for (const [name, value] of pairs) {
    if (value === null || value === undefined || value === "") continue;
    list.append(el("dt", "", name), el("dd", "", value instanceof Node ? value : String(value)));
  }
  return list;
}

// ---- asking the gateway --------------------------------------------------------------------------------------------

class Unauthorized extends Error {}

async function ask(path, options = {}) {
  const response = await fetch(path, { ...options, cache: "no-store", headers: { ...options.headers, authorization: `Bearer ${state.token}` } });
  if (response.status === 401) throw new Unauthorized();
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`${path.split("?")[0]} answered ${response.status}: ${(await response.text()).slice(0, 300)}`);
  return response.json();
}

async function refresh() {
  if (!state.token) return;
  try {
    const [events, status] = await Promise.all([ask(`/api/events?limit=${EVENTS_MAX}`), ask("/api/status")]);
    state.status = status ?? {};
    drawStatus();
    // Drawn again only when something changed: whoever is reading keeps focus and selection.
    if (changed("events", events)) {
      state.events = events?.events ?? [];
      drawEvents();
    }
    if (state.list === "dead") await refreshDead();
    if (state.open && (!state.traceText || state.unfinished)) await refreshTrace();
    state.failures = 0;
    link("live", "live");
  } catch (error) {
    if (error instanceof Unauthorized) return signIn("This token was refused.");
    state.failures += 1;
    link("lost", error instanceof TypeError ? "the gateway cannot be reached" : error.message);
  }
}

const drawn = new Map();
function changed(what, answer) {
  const text = JSON.stringify(answer);
  if (drawn.get(what) === text) return false;
  drawn.set(what, text);
  return true;
}

function link(kind, text) {
  byId("link").dataset.state = kind;
  if (byId("link").textContent !== text) byId("link").textContent = text;
}

/** One round at a time, and none while nobody looks. */
async function poll() {
  if (!document.hidden) await refresh();
  // A gateway that is down is asked less and less often, up to every half minute.
  setTimeout(poll, Math.min(POLL_MS * 2 ** Math.min(state.failures, 4), 30_000));
}

// ---- destinations --------------------------------------------------------------------------------------------------

function drawStatus() {
  const { version, uptime_ms, store, destinations = [], counters = {} } = state.status;
  byId("facts").textContent = [version && `version ${version}`, uptime_ms !== undefined && `up ${span(uptime_ms)}`].filter(Boolean).join("  ·  ");
  byId("durability").textContent = store?.durability ? `Durability: ${store.durability.meaning}.` : "";
  // Events are answered with 503 until this is mended, so it is the first thing to see.
  byId("trouble").textContent = store?.trouble ? `The store takes no events: ${store.trouble}.` : "";
  byId("trouble").hidden = !store?.trouble;
  byId("destinations").replaceChildren(...destinations.map(destination));
  if (!destinations.length) byId("destinations").append(el("li", "card soft", "No destination is configured."));
  const dead = destinations.reduce((sum, one) => sum + (one.dead ?? 0), 0);
  byId("dead-count").hidden = dead === 0;
  byId("dead-count").textContent = dead;
  const select = byId("dead-destination");
  const names = destinations.map((one) => one.name);
  if ([...select.options].slice(1).map((option) => option.value).join("\n") !== names.join("\n")) {
    select.replaceChildren(new Option("all", ""), ...names.map((name) => new Option(name, name)));
  }
  const rows = Object.entries(counters).map(([name, value]) => el("div", "", el("dt", "", name), el("dd", "", typeof value === "object" ? JSON.stringify(value) : String(value))));
  byId("counters").replaceChildren(...rows);
  byId("counters").parentElement.hidden = rows.length === 0;
}

function destination(one) {
  const waits = one.waiting > 0;
  const mark = one.parked ? badge("parked", "bad") : one.down ? badge("down", "bad") : one.dead > 0 ? badge(`${one.dead} dead`, "bad") : waits ? badge(`${one.waiting} waiting`, "wait") : badge("up to date", "good");
  const number = (name, value) => el("div", "", el("dt", "", name), el("dd", "", Number(value ?? 0).toLocaleString("en")));
  const digest = el("span", "mono", short(one.digest));
  digest.title = one.digest ?? "";
  return el("li", "card",
    el("div", "line", el("h3", "", one.name), mark),
    el("p", "plugin", `${one.plugin} `, digest),
    el("dl", "", number("delivered", one.delivered), number("waiting", one.waiting), number("dead", one.dead)),
    one.quality ? el("p", "plugin", `match quality ${one.quality.percent} of 100`) : null,
    one.parked || one.down ? el("p", "why", one.parked || one.down) : null,
    one.approval?.state === "unapproved" ? el("p", "why", `its plugin is not approved: ${one.approval.lines.join("; ")}`) : null,
    waits && one.oldest_queued_ms ? el("p", "plugin", `oldest waits for ${span(Math.max(0, one.oldest_queued_ms > 1e11 ? Date.now() - one.oldest_queued_ms : one.oldest_queued_ms))}`) : null);
}

// ---- the lists -----------------------------------------------------------------------------------------------------

const wanted = (...texts) => {
  const words = byId("filter").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const all = texts.join(" ").toLowerCase();
  return words.every((word) => all.includes(word));
};

function drawEvents() {
  const shown = state.events.filter((event) => wanted(event.id, event.name, event.site, event.outcome, event.consent,
    ...event.destinations.map((one) => `${one.name} ${one.outcome} ${one.reason ?? ""}`)));
  byId("events").replaceChildren(...shown.map(eventRow));
  byId("events-none").hidden = shown.length > 0;
  byId("events-none").textContent = state.events.length ? "No event matches the filter." : "No events yet. Send one, and it is here within two seconds.";
}

function eventRow(event) {
  const name = el("a", "name", event.name || "(no name)");
  name.href = `#event=${encodeURIComponent(event.id)}`;
  const marks = event.destinations.map((one) => {
    const mark = badge(`${one.name} ${one.outcome}`, kindOf(one.outcome));
    if (one.reason) mark.title = one.reason;
    return mark;
  });
  if (!marks.length) marks.push(badge(event.outcome, kindOf(event.outcome)));
  if (event.duplicates > 0) marks.push(badge(`+${event.duplicates} duplicate${event.duplicates > 1 ? "s" : ""}`));
  const row = el("tr", "", el("td", "", name, el("span", "id", event.id)), el("td", "", when(event.received_ms)),
    el("td", "", event.consent ? badge(event.consent, event.consent === "none" ? "" : "info") : ""), el("td", "", el("div", "badges", ...marks)));
  if (event.id === state.open) row.setAttribute("aria-current", "true");
  row.addEventListener("click", (click) => { if (!click.target.closest("a")) location.hash = name.hash; });
  return row;
}

async function refreshDead() {
  const destination = byId("dead-destination").value;
  const answer = await ask(`/api/dead-letters${destination ? `?destination=${encodeURIComponent(destination)}` : ""}`);
  if (!changed("dead letters", answer)) return;
  state.dead = answer?.dead_letters ?? [];
  const ids = new Set(state.dead.map((letter) => letter.id));
  for (const id of state.selected) if (!ids.has(id)) state.selected.delete(id);
  drawDead();
}

function drawDead() {
  const shown = state.dead.filter((letter) => wanted(letter.id, letter.event_id, letter.destination, letter.reason));
  byId("dead").replaceChildren(...shown.map(deadRow));
  byId("dead-none").hidden = shown.length > 0;
  byId("dead-none").textContent = state.dead.length ? "No dead letter matches the filter." : "No dead letters.";
  byId("replay").disabled = state.selected.size === 0;
  byId("replay").textContent = state.selected.size ? `Replay ${state.selected.size} selected` : "Replay selected";
  byId("dead-all").checked = shown.length > 0 && shown.every((letter) => state.selected.has(letter.id));
}

function deadRow(letter) {
  const box = el("input", "");
  box.type = "checkbox";
  box.checked = state.selected.has(letter.id);
  box.setAttribute("aria-label", `Select ${letter.id}`);
  box.addEventListener("change", () => { choose(letter.id, box.checked); drawDead(); });
  const why = el("a", "name", letter.reason || "(no reason)");
  why.href = `#event=${encodeURIComponent(letter.event_id)}`;
  const row = el("tr", "", el("td", "", box), el("td", "", why, el("span", "id", letter.event_id)), el("td", "", letter.destination),
    el("td", "", when(letter.died_ms)), el("td", "number", String(Array.isArray(letter.attempts) ? letter.attempts.length : letter.attempts ?? "")));
  row.addEventListener("click", (click) => { if (!click.target.closest("a, input")) location.hash = why.hash; });
  return row;
}

const choose = (id, checked) => checked ? state.selected.add(id) : state.selected.delete(id);

async function replay(ids, says) {
  try {
    const answer = await ask("/api/dead-letters/replay", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ ids }) });
    const replayed = answer?.replayed ?? ids.length;
    says.textContent = `${Array.isArray(replayed) ? replayed.length : replayed} queued again.`;
    state.selected.clear();
    drawDead();
    state.traceText = "";
  } catch (error) {
    if (error instanceof Unauthorized) return signIn("This token was refused.");
    says.textContent = error.message;
  }
  await refresh();
}

// ---- one event's trace ---------------------------------------------------------------------------------------------

async function refreshTrace() {
  const id = state.open;
  const trace = await ask(`/api/events/${encodeURIComponent(id)}`);
  if (id !== state.open) return;
  const text = JSON.stringify(trace);
  if (text === state.traceText) return;
  state.traceText = text;
  // An event that is not there yet may still be on its way.
  state.unfinished = !trace || [trace, ...(trace.destinations ?? [])].some((one) => UNFINISHED.has(one.outcome));
  drawTrace(id, trace);
}

function drawTrace(id, trace) {
  const root = byId("trace");
  const openKeys = new Set([...root.querySelectorAll("details[open]")].map((details) => details.dataset.key));
  const top = root.scrollTop;
  root.className = "trace card";
  root.hidden = false;
  byId("columns").classList.add("open");
  const close = el("button", "quiet", "Close");
  close.type = "button";
  close.addEventListener("click", () => { location.hash = ""; });
  if (!trace) {
    root.replaceChildren(el("header", "", el("div", "line", el("h1", "", "No such event"), close),
      el("p", "soft", "The gateway has no trace of ", el("code", "", id), ". It never arrived, was never accepted, or its trace has expired.")));
    return;
  }
  const event = trace.event ?? {};
  root.replaceChildren(
    el("header", "",
      el("div", "line", el("h1", "", event.name ?? trace.name ?? "Event"), badge(trace.outcome, kindOf(trace.outcome)), close),
      el("p", "mono soft", trace.id),
      trace.reason ? el("p", "", trace.reason) : null),
    el("ol", "steps", received(trace, event), consent(trace), ...(trace.destinations ?? []).map(delivery)));
  for (const details of root.querySelectorAll("details")) if (openKeys.has(details.dataset.key)) details.open = true;
  root.scrollTop = top;
}

function received(trace, event) {
  const clicks = (event.clicks ?? []).map((click) => typeof click === "object" ? `${click.name ?? click.kind ?? click.parameter ?? "click"} ${click.value ?? ""}`.trim() : click);
  const worth = event.value === undefined || event.value === null ? null : `${event.value} ${event.currency ?? ""}`;
  return el("li", "good",
    el("div", "line", el("h3", "", "Received"), when(trace.received_ms), badge(trace.site), trace.duplicates > 0 ? badge(`${trace.duplicates} more of the same, ignored`) : null),
    facts([["happened", event.at_ms ? when(event.at_ms) : null], ["worth", worth], ["order", event.order_id], ["page", event.page?.url],
      ["visitor", event.anonymous_id], ["user", event.user_id], ["click IDs", clicks.join(", ")], ["items", event.items?.length || null]]),
    fold("event", "The event, normalised", json(event)));
}

function consent(trace) {
  const { level = "unknown", signal, granted, ...rest } = trace.consent ?? {};
  const purposes = Array.isArray(granted) ? granted : granted && typeof granted === "object" ? Object.keys(granted).filter((key) => granted[key]) : [];
  const chips = purposes.length ? el("span", "badges", ...purposes.map((purpose) => badge(purpose, "info"))) : "nothing";
  return el("li", level === "none" ? "" : "good",
    el("div", "line", el("h3", "", "Consent"), badge(level, level === "none" ? "" : "info")),
    facts([["signal", typeof signal === "object" ? JSON.stringify(signal) : signal], ["granted", chips]]),
    Object.keys(rest).length ? fold("consent", "Everything about it", json(rest)) : null);
}

function delivery(one, index) {
  const key = `${index}-${one.name}`;
  const digest = el("span", "mono", short(one.digest));
  digest.title = one.digest ?? "";
  const deliveries = one.deliveries ?? [];
  const parts = deliveries.map((part, at) => request(part, `${key}-${at}`, deliveries.length > 1 ? at + 1 : null));
  const own = deliveries.some((part) => part.attempts?.length) ? null : attempts(one.attempts, key);
  return el("li", kindOf(one.outcome),
    el("div", "line", el("h3", "", one.name), badge(one.outcome, kindOf(one.outcome)), one.plugin ? el("span", "soft", `${one.plugin} `, digest) : null),
    one.reason ? el("p", "reason", one.reason) : null, quality(one.quality), ...parts, own);
}

/** How usable the event was to the platform, and what would make it more so. */
function quality(score) {
  if (!score) return null;
  const missing = score.missing.length ? `; missing: ${score.missing.join(", ")}` : "";
  return el("p", "soft", `match quality ${score.percent} of 100${missing}`);
}

function request(part, key, number) {
  const { request: made } = part;
  const title = number ? el("div", "line", el("b", "", `Request ${number}`), badge(part.outcome, kindOf(part.outcome)), part.outcome === "waiting" && part.due_ms ? el("span", "soft", "due ", when(part.due_ms)) : null) : null;
  const produced = made ? fold(`${key}-request`, "What it produced", el("div", "",
    facts([["endpoint", [made.method, made.url ?? made.endpoint].filter(Boolean).join(" ")], ...pairs("path", made.path), ...pairs("query", made.query), ...pairs("header", made.headers)]),
    body(made.body))) : null;
  const again = el("span", "soft", "");
  const replayOne = part.outcome === "dead" && part.id ? el("button", "quiet", "Replay") : null;
  replayOne?.addEventListener("click", () => replay([part.id], again));
  return el("div", "delivery", title, number && part.reason ? el("p", "reason", part.reason) : null,
    part.saw ? fold(`${key}-saw`, "What the plugin saw", json(part.saw)) : null, produced, attempts(part.attempts, key),
    replayOne ? el("p", "line", replayOne, again) : null);
}

/** `[[name, value], …]` or `{name: value, …}`, as facts. */
const pairs = (what, given) => (Array.isArray(given) ? given : Object.entries(given ?? {})).map(([name, value]) => [what, `${name}: ${value}`]);

/** `{"text": …}` or `{"base64": …}`. */
function body(given) {
  if (given === null || given === undefined) return null;
  if (typeof given === "object" && typeof given.text === "string") return json(given.text);
  if (typeof given === "object" && typeof given.base64 === "string") return el("pre", "", `base64: ${given.base64}`);
  return json(given);
}

function attempts(list, key) {
  if (!list?.length) return null;
  const rows = list.flatMap((attempt, at) => {
    const verdict = typeof attempt.verdict === "object" && attempt.verdict !== null ? JSON.stringify(attempt.verdict) : attempt.verdict ?? "";
    const ok = attempt.status >= 200 && attempt.status < 300;
    const row = el("tr", "", el("td", "", when(attempt.at)), el("td", "", badge(attempt.status ?? "no answer", ok ? "good" : "bad")),
      el("td", "", String(verdict)), el("td", "number", span(attempt.duration_ms)));
    if (attempt.answer === null || attempt.answer === undefined || attempt.answer === "") return [row];
    const cell = el("td", "", fold(`${key}-answer-${at}`, "The answer", json(attempt.answer), attempt.events > 1 ? `to ${attempt.events} events in one request` : ""));
    cell.colSpan = 4;
    return [row, el("tr", "answer", cell)];
  });
  const head = el("tr", "", ...["Attempt", "Status", "Verdict", "Took"].map((name) => {
    const cell = el("th", "", name);
    cell.scope = "col";
    return cell;
  }));
  return el("div", "attempts", el("table", "", el("thead", "", head), el("tbody", "", ...rows)));
}

// ---- the address, the token, the start -----------------------------------------------------------------------------

/** Reads `#token=…&event=…`, keeps the token for this tab, and takes it out of the address. */
function readAddress() {
  const parts = new URLSearchParams(location.hash.slice(1));
  if (parts.has("token")) {
    sessionStorage.setItem(TOKEN, parts.get("token"));
    parts.delete("token");
    history.replaceState(null, "", location.pathname + (parts.size ? `#${parts}` : ""));
  }
  state.token = sessionStorage.getItem(TOKEN);
  return parts.get("event");
}

function open(id) {
  if (id === state.open) return;
  state.open = id;
  state.traceText = "";
  byId("trace").hidden = !id;
  byId("trace").replaceChildren();
  byId("columns").classList.toggle("open", Boolean(id));
  drawEvents();
  if (id) {
    refreshTrace().then(() => byId("trace").focus({ preventScroll: window.innerWidth > 1100 })).catch((error) => error instanceof Unauthorized ? signIn("This token was refused.") : link("lost", error.message));
  }
}

function start() {
  const id = readAddress();
  if (!state.token) return signIn();
  byId("sign-in").hidden = true;
  byId("board").hidden = false;
  byId("sign-out").hidden = false;
  open(id);
  return refresh();
}

function signIn(wrong) {
  sessionStorage.removeItem(TOKEN);
  state.token = null;
  byId("board").hidden = true;
  byId("sign-out").hidden = true;
  byId("sign-in").hidden = false;
  link("", "");
  if (wrong) {
    byId("sign-in-why").textContent = wrong;
    byId("sign-in-why").className = "wrong";
  }
  byId("token").focus();
}

function showList(list) {
  state.list = list;
  for (const [name, tab, panel] of [["events", "tab-events", "events-list"], ["dead", "tab-dead", "dead-list"]]) {
    byId(tab).setAttribute("aria-selected", String(name === list));
    byId(panel).hidden = name !== list;
  }
  if (list === "dead") refresh();
}

byId("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, byId("token").value.trim());
  byId("token").value = "";
  start();
});
byId("sign-out").addEventListener("click", () => signIn());
byId("tab-events").addEventListener("click", () => showList("events"));
byId("tab-dead").addEventListener("click", () => showList("dead"));
byId("filter").addEventListener("input", () => { drawEvents(); drawDead(); });
byId("filter").addEventListener("keydown", (event) => {
  const id = byId("filter").value.trim();
  if (event.key === "Enter" && id) location.hash = `event=${encodeURIComponent(id)}`;
});
byId("dead-destination").addEventListener("change", refresh);
byId("dead-all").addEventListener("change", () => {
  for (const letter of state.dead) choose(letter.id, byId("dead-all").checked);
  drawDead();
});
byId("replay").addEventListener("click", () => replay([...state.selected], byId("replay-says")));
window.addEventListener("hashchange", () => start());
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });

start();
setTimeout(poll, POLL_MS);
