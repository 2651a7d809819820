// What a developer sees in the console. Says nothing unless debugging was asked for.

/** A log, and a way to call the snippet's own functions so that nothing of theirs is ever thrown into the page. */
export function createLog(debug) {
  const log = (...what) => debug && console.log("tidegate:", ...what);
  const guarded = (work) => (...given) => {
    try {
      return work(...given);
    } catch (error) {
      log("failed", error);
    }
  };
  return { log, guarded };
}
