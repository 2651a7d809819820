// What the visitor allowed, as far as the page was told. The most restrictive of what was told wins. Keeps it in memory
// only: what is remembered, the gateway remembers.

const LEVELS = ["none", "analytics", "marketing"];

/** The lower of two levels; one that is not known does not count. */
export function lower(one, other) {
  if (!one || !other) return one || other;
  return LEVELS.indexOf(one) < LEVELS.indexOf(other) ? one : other;
}

/** Whether something may be kept in the browser at a level. */
export const mayStore = (level) => LEVELS.indexOf(level) > 0;

/** The level that a page's words mean. Words that are not understood may have been a refusal, and count as one. */
export function levelOf(said) {
  if (said && typeof said === "object") {
    // A level has no marketing without analytics: of such words the refusal counts, as of Google's.
    if (said.analytics === false) return "none";
    return said.marketing === true ? "marketing" : said.analytics === true ? "analytics" : "none";
  }
  return LEVELS.includes(said) ? said : "none";
}

/**
 * `changed(level)` is called when the level became another; `settled()` when what waited for it may go on. With
 * `wait`, nothing goes on before the page has told.
 */
export function createConsent(wait, { changed, settled }) {
  const told = {};
  let postponed = 0;
  const least = (said) => Object.values(said).reduce(lower, undefined);
  const level = () => least(told);
  const isDefault = (of) => told.default === of && least({ ...told, default: undefined }) !== of;
  const isSettled = () => !postponed && !(wait && !level());

  function goOn() {
    clearTimeout(postponed);
    postponed = 0;
    if (isSettled()) settled();
  }

  return {
    level,
    isSettled,
    /** Whether a level is only what the page lets hold until its visitor answers. */
    isDefault,
    /** Takes what one source says; nothing takes back what it said before. Google's answer replaces its default. */
    tell(source, said) {
      const before = level();
      const was = isDefault(before);
      told[source] = said;
      if (source === "google") told.default = undefined;
      if (level() !== before || was !== isDefault(before)) changed(level());
      if (isSettled()) settled();
    },
    /** A default was told, and an answer is expected soon. */
    postpone(ms) {
      postponed ||= setTimeout(goOn, Math.min(ms, 10_000));
    },
    /** The answer came, or the page goes away: what was told is what counts. */
    goOn,
  };
}
