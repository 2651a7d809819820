// The events that are still to be sent, in memory: bounded, the oldest goes first.

const EVENTS_MAX = 100;
const BYTES_MAX = 256_000;
/** Browsers take at most 64 KiB for what outlives a page; the rest is for the envelope. */
const REQUEST_BYTES_MAX = 60_000;
const REQUEST_EVENTS_MAX = 20;
/** What sending adds to an event: its time and its consent. */
const ADDED_BYTES = 64;

/** A copy of an event that the page cannot change any more, with its size. */
export function entryOf(event) {
  const text = JSON.stringify(event);
  return { event: JSON.parse(text), bytes: new TextEncoder().encode(text).length + ADDED_BYTES };
}

/** How many of a list's first entries are too many, and how many fit into one request. */
export const surplus = (entries) => entries.length - fitting(entries.slice().reverse(), EVENTS_MAX, BYTES_MAX);
export const request = (entries) => fitting(entries, REQUEST_EVENTS_MAX, REQUEST_BYTES_MAX);

function fitting(entries, count, bytes) {
  let fits = 0;
  while (fits < Math.min(entries.length, count) && (bytes -= entries[fits].bytes) >= 0) fits++;
  return fits;
}

/** `lost(number)` is told how many were dropped. */
export function createMemory(lost) {
  let entries = [];
  let dropped = 0;
  function set(list) {
    entries = list.slice(surplus(list));
    if (entries.length < list.length) lost((dropped += list.length - entries.length));
  }
  return {
    /** Adds an entry, unless no request could carry it. */
    push(entry) {
      if (entry.bytes > REQUEST_BYTES_MAX) lost(++dropped);
      else set(entries.concat(entry));
    },
    /** Takes what fits into one request. */
    take: () => entries.splice(0, request(entries)),
    all: () => entries.splice(0),
    /** Puts back what was taken. */
    back: (taken) => set(taken.concat(entries)),
    isEmpty: () => !entries.length,
  };
}
