// A destination's switch: how it stands, who said so, and the buttons that turn it. Asks nothing itself.

import { el, when } from "./parts.js";

const SAYS = { off: "Switched off", paused: "Paused" };
const MEANS = { off: "Nothing is sent, and new events are dropped for it; what waits stays.", paused: "Nothing is sent, and new events wait." };

/** Made once and filled again, so that whoever writes a reason is not disturbed. `act(name, turn, reason)` turns it. */
export function switchBox(act) {
  const says = el("p", "why");
  const reason = el("input", "");
  reason.placeholder = "Why?";
  reason.maxLength = 500;
  reason.setAttribute("aria-label", "Why it is switched off or paused");
  const answer = el("span", "soft");
  answer.setAttribute("role", "status");
  const buttons = [["off", "Switch off"], ["pause", "Pause"], ["on", "Switch on"]].map(([turn, label]) => {
    const button = el("button", "quiet", label);
    button.type = "button";
    button.addEventListener("click", async () => {
      answer.textContent = await act(root.dataset.name, turn, reason.value.trim());
      reason.value = "";
    });
    return { turn, button };
  });
  const root = el("div", "switch", says, el("div", "tools", reason, ...buttons.map((one) => one.button), answer));
  return { root, says, reason, buttons };
}

export function fillSwitch(box, one) {
  const { position = "on", by, reason, at_ms } = one.switch ?? {};
  // What the configuration says is changed there.
  const fixed = one.removed || by === "the configuration";
  box.root.dataset.name = one.name;
  box.says.hidden = position === "on";
  box.says.replaceChildren(el("b", "", `${SAYS[position] ?? position} by ${by ?? "somebody"}`), at_ms ? el("span", "soft", ", ", when(at_ms)) : "",
    reason ? `: ${reason}. ` : ". ", el("span", "soft", MEANS[position] ?? ""));
  box.reason.hidden = fixed || position !== "on";
  for (const { turn, button } of box.buttons) button.hidden = fixed || (turn === "on") === (position === "on");
}
