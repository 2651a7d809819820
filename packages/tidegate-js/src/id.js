// Ids of events. Random ones, that tell nothing of the visitor.

/** A new UUID, version 4. `randomUUID` is missing on pages without HTTPS. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  // 1 and 0 become any digit, 8 one of the four that the variant allows.
  return "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) =>
    (digit ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (digit / 4)))).toString(16),
  );
}
