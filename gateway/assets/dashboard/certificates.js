// The certificates of the gateway's own TLS: which host, from where, until when, and what is wrong with it.

import { badge, el, facts, span, when } from "./parts.js";

const byId = (id) => document.getElementById(id);
/** A certificate that ends sooner should have been renewed long ago: an authority's are with a third of their life left. */
const SOON_MS = 14 * 86_400_000;
let opened = false;

/** Draws them; nothing is there where TLS is a proxy's. */
export function drawCertificates(certificates) {
  byId("certificates-box").hidden = !certificates;
  if (!certificates) return;
  const troubled = certificates.filter((one) => mark(one)[1] !== "good").length;
  byId("certificates-say").textContent = [String(certificates.length), troubled && `${troubled} to look at`].filter(Boolean).join(" · ");
  // Trouble opens it, once: whoever closes it has seen it.
  if (troubled && !opened) byId("certificates-box").open = opened = true;
  byId("certificates").replaceChildren(...certificates.map(card));
}

function mark({ certificate, last_error: error, warnings }) {
  if (!certificate) return ["none yet", "bad"];
  const left = certificate.not_after_ms - Date.now();
  if (left <= 0) return ["expired", "bad"];
  if (error) return ["not renewed", left < SOON_MS ? "bad" : "wait"];
  if (left < SOON_MS) return ["ends soon", "wait"];
  return warnings.length ? ["look at it", "wait"] : ["good", "good"];
}

function card(one) {
  const { host, source, certificate, last_error: error, next_attempt_ms: next, warnings } = one;
  const from = source.from === "acme" ? `ordered from ${source.directory}` : source.cert;
  return el("li", "card",
    el("p", "flow", el("b", "mono", host), " ", badge(...mark(one))),
    error ? el("p", "why", el("b", "", error.message), " ", el("span", "soft", when(error.at_ms))) : null,
    warnings.map((warning) => el("p", "why", warning)),
    facts([["ends", certificate && el("span", "", `in ${span(Math.max(0, certificate.not_after_ms - Date.now()))}, `, when(certificate.not_after_ms))],
      ["issuer", certificate?.issuer], ["from", from], [certificate ? "renewal" : "next try", next && when(next)]]));
}
