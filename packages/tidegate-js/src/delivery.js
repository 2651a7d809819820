// Delivery: when events are sent, again if need be, and where they are until then. Every event keeps its id, so that the
// gateway counts it once however often it is sent.

import { lower, mayStore } from "./consent.js";
import { createMemory, request } from "./memory.js";
import { beacon, post } from "./post.js";

/** Events of one moment share a request. */
const BATCH_MS = 50;
const BACKOFF_MS = 1_000;
const BACKOFF_MAX_MS = 300_000;
/** How soon to look again after another tab was at the store. */
const OTHER_TAB_MS = 5_000;

const whenIdle = (work) => (window.requestIdleCallback ? requestIdleCallback(work, { timeout: 200 }) : setTimeout(work));

/** `answered(reply)` gets what the gateway said to events it took; `brought()` is what links from other domains brought. */
export function createDelivery({ endpoint, key, domains }, { consent, store, exclusive, log, lost, answered, brought }) {
  const memory = createMemory(lost);
  const held = new Set();
  let timer = 0;
  let busy = false;
  let failures = 0;
  let notBefore = 0;
  let asked = false;

  const offline = () => navigator.onLine === false;
  const resting = () => Date.now() < notBefore;
  const consentOf = ({ event }) => lower(event.consent, consent.level());

  function bodyOf(entries) {
    const events = entries.map((entry) => {
      const level = (entry.event.consent = consentOf(entry));
      entry.sent = true;
      entry.byDefault = consent.isDefault(level);
      return { ...entry.event, consent: entry.byDefault ? { default: level } : level, sent_at: Date.now() };
    });
    log("sent", events);
    return JSON.stringify({ writeKey: key, link: domains.length ? true : undefined, arrived: brought(), events });
  }

  /** Where what was not sent is kept until it is. */
  function keep(entries) {
    memory.back(entries.filter((entry) => !mayStore(consentOf(entry)) || !store.add(entry)));
  }

  function schedule(ms = BATCH_MS) {
    clearTimeout(timer);
    timer = held.size ? 0 : setTimeout(() => whenIdle(run), Math.max(ms, notBefore - Date.now()));
  }

  /** Sends entries; whether the gateway has dealt with them. */
  async function sent(entries) {
    const { again, afterMs, status, reply } = await post(endpoint, bodyOf(entries));
    log("answered", status, reply);
    if (!again) {
      failures = notBefore = 0;
      if (reply?.success) answered(reply);
      return true;
    }
    const backoff = Math.min(BACKOFF_MS * 2 ** failures++, BACKOFF_MAX_MS) * (0.5 + Math.random() / 2);
    asked = afterMs > 0;
    notBefore = Date.now() + Math.max(afterMs, backoff);
    log("again in ms", notBefore - Date.now());
    return false;
  }

  /** Sends entries at once, whatever is under way: a hidden page may be killed, and such a request outlives it. */
  const handOver = async (entries) => {
    if (await sent(entries)) return;
    keep(entries);
    schedule();
  };

  async function sendMemory() {
    // What begins to be held while a request is under way waits for what it is to travel with.
    while (!held.size && !memory.isEmpty()) {
      const entries = offline() ? [] : memory.take();
      if (!entries.length || !(await sent(entries))) {
        keep(entries.concat(memory.all()));
        return false;
      }
    }
    return true;
  }

  /** Not what the page's default would lower for good: the visitor's answer may still come. */
  const mayLeave = (entry) => consentOf(entry) === entry.event.consent || !consent.isDefault(consentOf(entry));

  async function sendStored() {
    for (let entries; (entries = store.read().filter(mayLeave)).length; ) {
      entries = entries.slice(0, request(entries));
      if (!entries.length || !(await sent(entries))) return false;
      store.remove(entries);
    }
    return true;
  }

  async function run() {
    if (busy || held.size || !consent.isSettled()) return;
    // A timer may be early by a fraction of a millisecond.
    if (resting()) return schedule();
    busy = true;
    try {
      if ((await sendMemory()) && store.read().length && (await exclusive(sendStored)) == null) schedule(OTHER_TAB_MS);
    } catch (error) {
      log("failed", error);
    }
    busy = false;
    if (resting() || (!memory.isEmpty() && !offline())) schedule();
  }

  addEventListener("online", () => {
    // What a gateway asked for, a network that is back does not change.
    if (!asked) notBefore = 0;
    schedule();
  });
  // What an earlier page has stored is looked for when the page is idle: the first look at the storage reads a disk.
  schedule();

  return {
    push(entry) {
      memory.push(entry);
      if (!busy) schedule();
    },
    /** Keeps everything until it is released; what holds has a name. */
    hold: (why) => {
      held.add(why);
      clearTimeout(timer);
    },
    release(why) {
      if (held.delete(why)) schedule();
    },
    /** The page is hidden, or (`gone`) left: this may be the last moment. What only hides waits for the answer. */
    leave(gone) {
      const refused = [];
      const poor = offline() || resting();
      if (poor) keep(memory.all());
      // What may not be stored is kept in memory while there is one, and then has this last chance.
      if (!poor || gone) {
        for (let entries; (entries = memory.take()).length; ) {
          if (!gone) handOver(entries);
          else if (!beacon(endpoint, bodyOf(entries))) refused.push(...entries);
        }
      }
      keep(refused);
      if (!memory.isEmpty()) schedule();
    },
    /** Consent was told: what is stored may leave. */
    consented: schedule,
  };
}
