// The data layer: e-commerce and consent that a page pushes for Google's tags. Each push is taken once. Changes nothing
// in what is pushed, and makes no layer where the page has none.

import { FROM_LAYER } from "./names.js";

/** Parameters that are taken where they are not in an `ecommerce` object, for others may be about a person. */
const TAKEN =
  "affiliation coupon currency discount item_list_id item_list_name items method payment_type promotion_id promotion_name search_term shipping shipping_tier tax transaction_id value".split(
    " ",
  );
const NUMBERS = "value tax shipping discount price quantity".split(" ");

/** Google takes numbers as text; the gateway refuses them. */
function withNumbers(from) {
  const copy = { ...from };
  for (const name of NUMBERS) {
    const value = copy[name];
    if (typeof value === "string" && value.trim() && isFinite(value)) copy[name] = +value;
  }
  return copy;
}

function properties(from) {
  const taken = withNumbers(from);
  if (Array.isArray(taken.items)) taken.items = taken.items.map(withNumbers);
  return taken;
}

const picked = (from) => Object.fromEntries(TAKEN.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]));

/**
 * Watches the layer of that name. `consent(command, said)` and `track(name, properties, id)` are called for what is
 * pushed. Gives a function that looks for a layer that may have come since.
 */
export function watchLayer(name, { guarded, consent, track }) {
  const orders = new Set();
  let hooked;

  function event(named, parameters, id) {
    if (!FROM_LAYER.includes(named)) return;
    const { transaction_id } = parameters;
    // One order is often told twice: once for Google's tag, once for a tag manager.
    const order = named + transaction_id;
    if (transaction_id && orders.has(order)) return;
    orders.add(order);
    track(named, properties(parameters), id);
  }

  const take = guarded((entry) => {
    if (!entry || typeof entry !== "object") return;
    // `gtag` pushes its `arguments`.
    const [command, first, second] = entry.length === undefined ? [] : entry;
    if (command === "consent" && (first === "default" || first === "update")) consent(first, second || {});
    else if (command === "event") event(first, picked(second || {}), second?.event_id);
    else if (typeof entry.event === "string") event(entry.event, entry.ecommerce || picked(entry), entry.event_id);
  });

  return function look() {
    const layer = name && window[name];
    if (!layer || layer === hooked || typeof layer.push !== "function") return;
    hooked = layer;
    const push = layer.push;
    const earlier = Array.from(layer);
    layer.push = function (...entries) {
      const result = push.apply(this, entries);
      entries.forEach(take);
      return result;
    };
    earlier.forEach(take);
  };
}
