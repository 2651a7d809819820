// One event's trace: received, consent, and each destination with what its plugin made and what its platform answered.

import { MATCH, WORST_FIRST, badge, el, facts, fold, json, kindOf, outcomes, short, span, unfolded, when } from "./parts.js";

const byId = (id) => document.getElementById(id);

/** Draws an event's trace, or that there is none; what was open in it stays open. `replay` puts dead letters back. */
export function drawTrace(id, trace, replay) {
  const root = byId("trace");
  const known = new Map([...root.querySelectorAll("details")].map((details) => [details.dataset.key, details.open]));
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
      trace.reason && (trace.destinations ?? []).length <= 1 ? el("p", "", trace.reason) : null),
    el("ol", "steps", received(trace, event), consent(trace), ...destinations(trace.destinations ?? [], replay)));
  for (const details of root.querySelectorAll("details")) details.open = known.get(details.dataset.key) ?? details.open;
  root.scrollTop = top;
}

function received(trace, event) {
  const clicks = (event.clicks ?? []).map(({ kind, value }) => {
    const click = el("span", "", `${kind} `, el("code", "", value));
    click.title = value;
    return click;
  });
  const worth = event.value === undefined || event.value === null ? null : `${event.value} ${event.currency ?? ""}`;
  return el("li", "good",
    el("div", "line", el("h3", "", "Received"), when(trace.received_ms), badge(trace.site), trace.duplicates > 0 ? badge(`${trace.duplicates} more of the same, ignored`) : null),
    facts([["happened", event.at_ms ? when(event.at_ms) : null], ["worth", worth], ["order", event.order_id], ["page", event.page?.url],
      ["visitor", event.anonymous_id], ["user", event.user_id], ["click IDs", clicks.length ? el("div", "clicks", ...clicks) : null], ["items", event.items?.length || null]]),
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

/** Where it went, the worst first, and where it did not go, by the reason. */
function destinations(all, replay) {
  const sent = all.filter((one) => one.outcome !== "dropped").map((one, index) => ({ one, index }));
  sent.sort((a, b) => WORST_FIRST.indexOf(a.one.outcome) - WORST_FIRST.indexOf(b.one.outcome) || a.index - b.index);
  const reasons = new Map();
  for (const one of all.filter((one) => one.outcome === "dropped")) reasons.set(one.reason, [...reasons.get(one.reason) ?? [], one.name]);
  const steps = [];
  if (sent.length) {
    const worst = kindOf(sent[0].one.outcome);
    steps.push(el("li", worst,
      el("div", "line", el("h3", "", sent.length > 1 ? `Sent to ${sent.length} destinations` : "Sent"), el("span", "badges", ...outcomes(sent.map(({ one }) => one)))),
      ...sent.map(({ one }) => delivery(one, sent.length <= 2 || one.outcome === "dead", replay))));
  }
  if (reasons.size) {
    const list = [...reasons].map(([reason, names]) => el("div", "dropped", el("p", "reason", reason ?? "no reason is known"), el("p", "badges", ...names.map((name) => badge(name)))));
    steps.push(el("li", "", el("div", "line", el("h3", "", "Not sent")), ...list));
  }
  return steps;
}

/** One destination: a line, with what the plugin made and what the platform answered in it. */
function delivery(one, open, replay) {
  const key = one.name;
  const digest = el("span", "mono", short(one.digest));
  digest.title = one.digest ?? "";
  const deliveries = one.deliveries ?? [];
  const last = one.attempts?.at(-1);
  const answered = last ? `${last.status ?? "no answer"} in ${span(last.duration_ms)}` : "";
  const parts = deliveries.map((part, at) => request(part, { key: `${key}-${at}`, number: deliveries.length > 1 ? at + 1 : null, replay }));
  const own = deliveries.some((part) => part.attempts?.length) ? null : attempts(one.attempts, key);
  const due = deliveries.find((part) => part.outcome === "waiting" && part.attempts?.length && part.due_ms)?.due_ms;
  const said = el("span", "soft", answered, due ? [", again at ", when(due)] : []);
  const line = el("summary", "", el("b", "", one.name), badge(one.outcome, kindOf(one.outcome)), said, meter(one.quality),
    one.reason ? el("span", "reason", one.reason) : null);
  const details = el("details", "destination", line,
    one.plugin ? el("p", "soft", `plugin ${one.plugin} `, digest) : null, quality(one.quality), ...parts, own);
  details.dataset.key = key;
  details.open = open;
  return details;
}

/** The match quality, as small as it goes. */
function meter(score) {
  if (!score) return null;
  const bar = el("meter", "");
  bar.max = 100;
  bar.value = score.percent;
  const whole = el("span", "match", bar, `match ${score.percent}`);
  whole.title = MATCH;
  return whole;
}

/** How usable the event was to the platform, and what would make it more so. */
function quality(score) {
  if (!score) return null;
  const missing = score.missing.length ? `; missing: ${score.missing.join(", ")}` : "";
  return el("p", "soft", `match quality ${score.percent} of 100${missing}`);
}

function request(part, { key, number, replay }) {
  const { request: made } = part;
  const title = number ? el("div", "line", el("b", "", `Request ${number}`), badge(part.outcome, kindOf(part.outcome)), part.outcome === "waiting" && part.due_ms ? el("span", "soft", "due ", when(part.due_ms)) : null) : null;
  const produced = made ? unfolded(`${key}-request`, "What it produced", el("div", "",
    facts([["endpoint", [made.method, made.url ?? made.endpoint].filter(Boolean).join(" ")], ...pairs("path", made.path), ...pairs("query", made.query), ...pairs("header", made.headers)]),
    body(made.body))) : null;
  const again = el("span", "soft", "");
  const replayOne = part.outcome === "dead" && part.id ? el("button", "quiet", "Replay") : null;
  replayOne?.addEventListener("click", () => replay([part.id], again));
  return el("div", "delivery", title, number && part.reason ? el("p", "reason", part.reason) : null,
    part.outcome === "cancelled" ? el("p", "soft", "What the plugin saw and what it produced were deleted when it was cancelled.") : null,
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
    const cell = el("td", "", unfolded(`${key}-answer-${at}`, "The answer", json(attempt.answer), attempt.events > 1 ? `to ${attempt.events} events in one request` : ""));
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
