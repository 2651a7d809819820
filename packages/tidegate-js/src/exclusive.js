// One tab at a time: who sends what all tabs have stored.

/**
 * Gives `run(work)`, which promises what `work` gives; something else than a boolean if another tab is at it. Pages without
 * HTTPS have no Web Locks: there two tabs may send the same events, which count once by their ids.
 */
export function createExclusive(key) {
  const { locks } = navigator;
  return (work) => (locks ? locks.request("tidegate." + key, { ifAvailable: true }, (lock) => lock && work()) : work());
}
