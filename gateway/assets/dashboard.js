// The admin listener's one page: destinations, what has left, the last events, dead letters, and an event's trace.
// Events hold whatever visitors sent, so every text goes in as text, never as markup.

import { drawCertificates } from "./dashboard/certificates.js";
import { drawDestinations } from "./dashboard/destinations.js";
import { forgetLedger, refreshLedger } from "./dashboard/ledger.js";
import { badge, el, kindOf, outcomes, span, when } from "./dashboard/parts.js";
import { drawTrace } from "./dashboard/trace.js";

const POLL_MS = 2000;
/** For so long after it was opened, an event that is under way is looked at more often. */
const HASTE_MS = 10_000;
const EVENTS_MAX = 50;
const TOKEN = "tidegate-token";
/** What an event may still become something else from. */
const UNFINISHED = new Set(["waiting", "accepted", "queued"]);

const byId = (id) => document.getElementById(id);
const state = { token: null, list: "events", events: [], dead: [], status: null, open: null, traceText: "", unfinished: true, selected: new Set(), failures: 0, hastyUntil: 0, timer: 0 };

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
    await refreshLedger(ask);
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

function pollIn(ms) {
  clearTimeout(state.timer);
  state.timer = setTimeout(poll, ms);
}

/** One round at a time, and none while nobody looks. */
async function poll() {
  if (!document.hidden) await refresh();
  const hasty = state.open && state.unfinished && Date.now() < state.hastyUntil;
  // A gateway that is down is asked less and less often, up to every half minute.
  pollIn(hasty && !state.failures ? POLL_MS / 4 : Math.min(POLL_MS * 2 ** Math.min(state.failures, 4), 30_000));
}

// ---- destinations --------------------------------------------------------------------------------------------------

function drawStatus() {
  const { version, uptime_ms, store, destinations = [], counters = {} } = state.status;
  byId("facts").textContent = [version && `version ${version}`, uptime_ms !== undefined && `up ${span(uptime_ms)}`].filter(Boolean).join("  ·  ");
  byId("durability").textContent = store?.durability ? `Durability: ${store.durability.meaning}.` : "";
  // Events are answered with 503 until this is mended, so it is the first thing to see.
  byId("trouble").textContent = store?.trouble ? `The store takes no events: ${store.trouble}.` : "";
  byId("trouble").hidden = !store?.trouble;
  drawReload(state.status.reload);
  drawDestinations(destinations, turn);
  if (changed("certificates", state.status.certificates)) drawCertificates(state.status.certificates);
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

/** An alarm while what runs is not what the configuration says. */
function drawReload(reload) {
  const failed = reload?.state === "failed";
  if (!changed("reload", failed ? reload : null)) return;
  byId("alarm").hidden = !failed;
  if (!failed) return;
  const line = ({ what, line, hint }) => el("li", "", `${what}${line ? `, line ${line}` : ""}`, hint ? el("span", "soft", ` ${hint}`) : "");
  byId("alarm").replaceChildren(el("b", "", "The last reload failed, and what ran before goes on. "), el("span", "soft", when(reload.at_ms), ` ${reload.file}`), el("ul", "", ...reload.problems.map(line)));
}

/** Turns a destination's switch; gives what there is to say about it. */
async function turn(name, to, reason) {
  try {
    const body = JSON.stringify({ by: "the dashboard", ...(reason ? { reason } : {}) });
    await ask(`/api/destinations/${encodeURIComponent(name)}/${to}`, { method: "POST", headers: { "content-type": "application/json" }, body });
  } catch (error) {
    if (!(error instanceof Unauthorized)) return error.message;
    signIn("This token was refused.");
    return "";
  }
  await refresh();
  return "";
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
  const marks = outcomes(event.destinations);
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
  drawTrace(id, trace, replay);
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
    state.unfinished = true;
    state.hastyUntil = Date.now() + HASTE_MS;
    pollIn(POLL_MS / 4);
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
byId("ledger-box").addEventListener("toggle", () => { forgetLedger(); refresh(); });
window.addEventListener("hashchange", () => start());
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });

start();
pollIn(POLL_MS);
