// The destinations: a tile each, which opens.

import { fillSwitch, switchBox } from "./switch.js";
import { MATCH, badge, el, facts, number, short, span, when } from "./parts.js";

const byId = (id) => document.getElementById(id);
let tiles = { names: null, each: [] };

/** How a destination is, in a word: the worst of it. */
function stateOf(one) {
  if (one.removed) return [`removed${one.waiting > 0 ? `, ${one.waiting} waiting` : ""}`, "wait"];
  if (one.switch && one.switch.position !== "on") return [one.switch.position, "wait"];
  if (one.parked) return ["parked", "bad"];
  if (one.down) return ["down", "bad"];
  if (one.dead > 0) return [`${one.dead} dead`, "bad"];
  if (one.waiting > 0) return [`${one.waiting} waiting`, "wait"];
  return one.delivered > 0 ? ["", "good"] : ["", ""];
}

/** A tile for each destination, made once and filled again: whoever has opened one, or is at one, stays there. */
export function drawDestinations(destinations, act) {
  const names = destinations.map((one) => one.name).join("\n");
  if (tiles.names !== names) {
    tiles = { names, each: destinations.map(() => tile(act)) };
    byId("destinations").replaceChildren(...tiles.each.map((one) => one.root));
    if (!destinations.length) byId("destinations").append(el("li", "card soft", "No destination is configured."));
    byId("destinations-box").open = destinations.length <= 8 || window.innerWidth > 640;
  }
  destinations.forEach((one, at) => fillTile(tiles.each[at], one));
  const count = (kind) => destinations.filter((one) => one[kind]).length;
  const sum = (what) => destinations.reduce((total, one) => total + (one[what] ?? 0), 0);
  const trouble = [[count("parked"), "parked"], [count("down"), "down"], [sum("waiting"), "waiting"], [sum("dead"), "dead"]].filter(([some]) => some).map(([some, what]) => `${number(some)} ${what}`);
  byId("destinations-say").textContent = destinations.length ? [String(destinations.length), `${number(sum("delivered"))} delivered`, ...trouble].join(" · ") : "";
}

function tile(act) {
  const [name, mark, says, more, box] = [el("b", ""), el("span", ""), el("span", "says"), el("div", "more"), switchBox(act)];
  return { root: el("li", "card", el("details", "", el("summary", "", name, mark, says), box.root, more)), name, mark, says, more, box };
}

function fillTile(into, one) {
  const [word, kind] = stateOf(one);
  into.root.className = `card ${kind}`;
  fillSwitch(into.box, one);
  into.name.textContent = one.name;
  into.name.title = one.name;
  into.mark.replaceChildren(...(word ? [badge(word, kind)] : []));
  into.says.title = one.quality ? MATCH : "";
  into.says.textContent = `${number(one.delivered)} delivered${one.quality ? ` · match ${one.quality.percent}` : ""}`;
  const digest = el("span", "mono", short(one.digest));
  digest.title = one.digest ?? "";
  const missing = (one.quality?.missing ?? []).map(({ name, events }) => `${name} (${number(events)})`).join(", ");
  const oldest = one.waiting > 0 && one.oldest_queued_ms ? Math.max(0, one.oldest_queued_ms > 1e11 ? Date.now() - one.oldest_queued_ms : one.oldest_queued_ms) : null;
  into.more.replaceChildren(
    one.removed ? el("p", "why", el("b", "", "It is not configured any more. "), el("span", "soft", "What waits for it stays in the store, and is sent when it is configured again.")) : "",
    one.approval?.state === "unapproved" ? el("p", "why", el("b", "", "Its plugin is not approved: "), one.approval.lines.join("; ")) : "",
    one.parked || one.down ? el("p", "why", el("b", "", one.parked || one.down), el("span", "soft", one.parked ? ". Nothing is lost: events wait, and one tries now and then. Mend the account or the configuration." : ". Nothing is lost: events wait, and one tries now and then.")) : "",
    facts([["plugin", one.plugin ? el("span", "", `${one.plugin} `, digest) : null],
      ["delivered", el("span", "", number(one.delivered), one.delivered_ms ? el("span", "soft", ", last at ", when(one.delivered_ms)) : "")],
      ["retried", number(one.retried)], ["waiting", number(one.waiting) + (oldest === null ? "" : `, the oldest for ${span(oldest)}`)], ["dead", number(one.dead)],
      ["cancelled", one.cancelled ? el("span", "", number(one.cancelled), el("span", "soft", ", because the visitor withdrew consent before they were sent")) : null],
      ["match quality", one.quality ? el("span", "", `${one.quality.percent} of 100, over ${number(one.quality.events)} event${one.quality.events === 1 ? "" : "s"}`, el("span", "soft", ": how much of what this platform finds people and conversions by the events bring")) : null],
      ["events lacked", missing]]));
}
