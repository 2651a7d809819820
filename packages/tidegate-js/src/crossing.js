// Links to the site's other own domains: they carry a short-lived parameter that the gateway signed, so that the visitor
// is known there too. Makes no parameter itself, and reads none.

const PARAMETER = "_tgl";
/** The gateway takes a parameter for 120 s after it made it; the rest is for the way here and there. */
const LIFE_MS = 100_000;

/**
 * `arrive()` takes what this page was reached with out of its address, from where it might be copied; `brought()` is that.
 * `take(reply)` keeps what the gateway gave last, `decorate(link)` puts it into a link while it is good, `forget()` drops it.
 */
export function createCrossing() {
  let token;
  let until = 0;
  let arrived;
  return {
    arrive() {
      const url = new URL(location.href);
      arrived = url.searchParams.get(PARAMETER) || undefined;
      if (!arrived) return;
      url.searchParams.delete(PARAMETER);
      history.replaceState(history.state, "", url);
    },
    brought: () => arrived,
    take({ link }) {
      if (!link) return;
      token = link;
      until = Date.now() + LIFE_MS;
    },
    decorate(link) {
      if (Date.now() > until) return;
      const url = new URL(link.href);
      url.searchParams.set(PARAMETER, token);
      const before = link.getAttribute("href");
      link.href = url.href;
      // The browser has followed the link by then; who copies it later copies nobody's identity.
      setTimeout(() => link.href === url.href && link.setAttribute("href", before));
    },
    forget: () => (until = 0),
  };
}
