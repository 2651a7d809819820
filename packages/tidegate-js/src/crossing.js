// Links to the site's other own domains: they carry a short-lived parameter that the gateway signed, so that the visitor
// is known there too. Makes no parameter itself, and reads none.

const PARAMETER = "_tgl";

/**
 * `arrive()` takes what this page was reached with out of its address, from where it might be copied; `brought()` is that.
 * `take(reply)` keeps what the gateway gave last, `decorate(link)` puts it into a link, `forget()` drops it.
 */
export function createCrossing() {
  let token;
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
    take(reply) {
      if (typeof reply.link === "string") token = reply.link;
    },
    decorate(link) {
      if (!token) return;
      const url = new URL(link.href);
      url.searchParams.set(PARAMETER, token);
      const before = link.getAttribute("href");
      link.href = url.href;
      // The browser has followed the link by then; who copies it later copies nobody's identity.
      setTimeout(() => link.href === url.href && link.setAttribute("href", before));
    },
    forget: () => (token = undefined),
  };
}
