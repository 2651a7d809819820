// What has left: the egress ledger of the last day, flow by flow. Asked for while it is open, and seldom.

import { badge, el, facts, number, short, when } from "./parts.js";

const byId = (id) => document.getElementById(id);
/** Counts are written a minute late at most, so asking more often would show nothing new. */
const ASK_MS = 30_000;
let askedAt = 0;
let drawn = "";

/** Asks again if it is open and long enough ago. `ask` gives an answer's JSON. */
export async function refreshLedger(ask) {
  if (!byId("ledger-box").open || Date.now() - askedAt < ASK_MS) return;
  askedAt = Date.now();
  const summary = await ask("/api/ledger?since=24h");
  const text = JSON.stringify(summary);
  if (text === drawn) return;
  drawn = text;
  drawLedger(summary ?? {});
}

/** The next refresh asks, however long ago the last one was. */
export function forgetLedger() {
  askedAt = 0;
}

function drawLedger({ flows = [], unreadable = 0 }) {
  const events = flows.reduce((sum, flow) => sum + (flow.events ?? 0), 0);
  const hosts = new Set(flows.map((flow) => flow.host)).size;
  byId("ledger-say").textContent = flows.length ? `${number(events)} events to ${hosts} host${hosts === 1 ? "" : "s"} in the last day` : "nothing in the last day";
  byId("ledger").replaceChildren(...flows.map(card));
  if (unreadable) byId("ledger").append(el("li", "card bad", `${number(unreadable)} entries cannot be read: “tidegate ledger verify” says whether they were changed.`));
}

function card(flow) {
  const digest = el("span", "mono", short(flow.digest));
  digest.title = flow.digest ?? "";
  const left = [[flow.taken, "taken"], [flow.refused, "refused"], [flow.unanswered, "unanswered"]].filter(([count]) => count).map(([count, what]) => `${number(count)} ${what}`);
  return el("li", "card",
    el("p", "flow", el("b", "", flow.destination), " to ", el("b", "mono", flow.host), " ", badge(flow.consent, "info")),
    facts([["left", `${number(flow.events)} event${flow.events === 1 ? "" : "s"} in ${number(flow.requests)} request${flow.requests === 1 ? "" : "s"}${left.length ? `: ${left.join(", ")}` : ""}`],
      ["granted", (flow.granted ?? []).join(", ")],
      ["plugin", el("span", "", `${flow.plugin} `, digest)],
      ["last", el("span", "", when(flow.last_ms))]]),
    fields(flow.fields));
}

function fields(list) {
  if (!list) return el("p", "soft", "Which fields is not known: they were stored before the gateway kept that.");
  if (!list.length) return el("p", "soft", "No field that is granted.");
  const row = (field) => el("tr", "", el("td", "mono", field.name), el("td", "", badge(field.as, field.as === "sha256" ? "good" : "")), el("td", "number", number(field.events)));
  const head = el("thead", "", el("tr", "", ...["Field", "As", "Events"].map((name) => {
    const cell = el("th", "", name);
    cell.scope = "col";
    return cell;
  })));
  return el("div", "table", el("table", "", head, el("tbody", "", ...list.map(row))));
}
