// Page views: the first, those that a router makes without loading a page, and those that come back from the browser's
// memory. One page view for one address at a time.

import { address } from "./place.js";

/** A router often sets an address in several steps. */
const ROUTER_MS = 100;

/**
 * Calls `view(at)` for each page that is viewed, from `begin()` on. `hold` and `release` keep other events, so that they
 * travel with the page view.
 */
export function watchPages({ page, spa }, { guarded, look, view, hold, release }) {
  let viewed;
  let since = 0;
  let timer = 0;

  const emit = guarded(() => {
    clearTimeout(timer);
    if (since) {
      const at = since;
      since = 0;
      look();
      if (address() !== viewed) {
        viewed = address();
        view(at);
      }
    }
    release();
  });

  const navigated = guarded(() => {
    if (address() === viewed) return;
    since ||= Date.now();
    hold();
    clearTimeout(timer);
    timer = setTimeout(emit, ROUTER_MS);
  });

  function watchRouter() {
    for (const name of ["pushState", "replaceState"]) {
      const original = history[name];
      history[name] = function (...given) {
        const result = original.apply(this, given);
        navigated();
        return result;
      };
    }
    addEventListener("popstate", navigated);
  }

  return {
    /** The first page view, as soon as the page knows its title. */
    begin() {
      if (!page) return;
      since = Date.now();
      hold();
      addEventListener("DOMContentLoaded", emit);
      // Not while the script is evaluated: what that costs, the page pays for at its busiest.
      if (document.readyState !== "loading") setTimeout(emit);
      addEventListener("pageshow", (event) => {
        if (!event.persisted) return;
        viewed = undefined;
        since = Date.now();
        emit();
      });
      if (spa) watchRouter();
    },
    /** What is under way becomes a page view now. */
    emit,
    /** The page told of this view itself. */
    saw: () => (viewed = address()),
  };
}
