// Events that could not be sent, in the browser's local storage: one item each, so that two tabs never overwrite each
// other's. Whoever calls has made sure of the consent.

import { entryOf, surplus } from "./memory.js";

/** The store of one write key. `lost(number)` is told how many were dropped. */
export function createStore(key, lost) {
  const prefix = `tidegate.${key}.`;
  const names = () => Object.keys(localStorage).filter((name) => name.startsWith(prefix)).sort();
  const remove = (name) => localStorage.removeItem(name);
  let dropped = 0;

  /** The entries with their names, the oldest first. */
  function read() {
    const entries = [];
    for (const name of names()) {
      try {
        entries.push({ name, ...entryOf(JSON.parse(localStorage.getItem(name))) });
      } catch {
        remove(name);
      }
    }
    return entries;
  }

  /** Without the storage (it may be off, or full) there is nothing to keep, and nothing to do about it. */
  const tried = (work, otherwise) => (given) => {
    try {
      return work(given);
    } catch {
      return otherwise;
    }
  };

  return {
    /** Whether the entry is kept. */
    add: tried(({ event }) => {
      localStorage.setItem(prefix + event.timestamp + "." + event.message_id, JSON.stringify(event));
      const entries = read();
      const more = surplus(entries);
      entries.slice(0, more).forEach(({ name }) => remove(name));
      if (more) lost((dropped += more));
      return true;
    }, false),
    read: tried(read, []),
    remove: tried((entries) => entries.forEach(({ name }) => remove(name))),
    clear: tried(() => names().forEach(remove)),
  };
}
