// One tab at a time: who sends what all tabs have stored.

import { newId } from "./id.js";

/** Longer than a request may take. */
const LEASE_MS = 40_000;
/** Another tab's writing shows within this time. */
const SETTLE_MS = 50;

/**
 * Gives `run(work)`, which promises what `work` gives; something else than a boolean if another tab is at it. Pages without HTTPS have no
 * Web Locks, and use an item of the local storage, which says who is at it and until when.
 */
export function createExclusive(key) {
  const item = "tidegate-owner." + key;
  let me;
  const owner = () => (localStorage.getItem(item) || "").split(" ");
  return async (work) => {
    if (navigator.locks) return navigator.locks.request("tidegate." + key, { ifAvailable: true }, (lock) => lock && work());
    const [held, until] = owner();
    if (held && until > Date.now()) return;
    me ||= newId();
    localStorage.setItem(item, `${me} ${Date.now() + LEASE_MS}`);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    if (owner()[0] !== me) return;
    try {
      return await work();
    } finally {
      if (owner()[0] === me) localStorage.removeItem(item);
    }
  };
}
