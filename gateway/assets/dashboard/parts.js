// What the dashboard's views are made of: elements, marks, times, JSON. Asks nothing, and knows no view.
// Events hold whatever visitors sent, so every text goes in as text, never as markup.

const KINDS = { delivered: "good", waiting: "wait", dead: "bad", refused: "bad", parked: "bad", lost: "bad" };
export const WORST_FIRST = ["dead", "refused", "lost", "waiting", "delivered", "cancelled", "dropped"];
export const MATCH = "Match quality: how much of what this platform finds people and conversions by the events bring, of 100";
/** So many destinations are named, more are counted. */
const NAMED_MAX = 3;

/** Makes an element: `el("p", "class", "text", child)`. */
export function el(name, className, ...children) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const kindOf = (outcome) => KINDS[outcome] ?? "";
export const badge = (text, kind = "") => el("span", `badge ${kind}`, String(text));
export const short = (digest) => String(digest ?? "").replace(/^sha256[:-]/, "").slice(0, 12);

/** Milliseconds of Unix time, or ISO 8601. */
const date = (at) => new Date(at);

export function when(at) {
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

export function span(ms) {
  if (ms === null || ms === undefined) return "";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

/** A value as JSON, indented and coloured; a text that is JSON is shown as what it says. */
export function json(value) {
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
export function fold(key, label, content, hint) {
  const details = el("details", "", el("summary", "", label, hint ? el("span", "soft", ` ${hint}`) : null), content);
  details.dataset.key = key;
  return details;
}

/** The same, open from the start. */
export function unfolded(...parts) {
  const details = fold(...parts);
  details.open = true;
  return details;
}

export function facts(pairs) {
  const list = el("dl", "facts");
  for (const [name, value] of pairs) {
    if (value === null || value === undefined || value === "") continue;
    list.append(el("dt", "", name), el("dd", "", value instanceof Node ? value : String(value)));
  }
  return list;
}

export const number = (value) => Number(value ?? 0).toLocaleString("en");

/** A mark for each outcome, the worst first, so that twenty destinations are as readable as two. The few in trouble are named. */
export function outcomes(destinations) {
  const groups = new Map(WORST_FIRST.map((outcome) => [outcome, []]));
  for (const one of destinations) groups.set(one.outcome, [...groups.get(one.outcome) ?? [], one]);
  return [...groups].filter(([, group]) => group.length).map(([outcome, group]) => {
    const few = group.length <= NAMED_MAX && (destinations.length <= NAMED_MAX || ["bad", "wait"].includes(kindOf(outcome)));
    const mark = badge(`${few ? group.map((one) => one.name).join(", ") : group.length} ${outcome}`, kindOf(outcome));
    mark.title = group.map((one) => one.reason ? `${one.name}: ${one.reason}` : one.name).join("\n");
    return mark;
  });
}
