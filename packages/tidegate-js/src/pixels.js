// The platforms' own pixels in the page: tells them an event under the same id, so that each platform counts it once.
// Loads none of them, and tells them nothing that the page was not told consent to: of the site's default it knows nothing.

import { mayStore } from "./consent.js";
import { metaName } from "./names.js";

/** What `event` is worth at Meta, by Meta's names. */
function metaParameters({ properties = {} }) {
  const { value, revenue, total, order_value, currency, items, products, order_id, transaction_id, search_term } = properties;
  const parameters = { value: value ?? revenue ?? total ?? order_value, currency };
  const list = items || products;
  if (Array.isArray(list)) {
    parameters.contents = list.map((item) => ({
      id: item.product_id ?? item.item_id ?? item.id ?? item.sku,
      quantity: item.quantity ?? 1,
      item_price: item.price,
    }));
    parameters.content_ids = parameters.contents.map(({ id }) => id);
    parameters.content_type = "product";
  }
  return Object.assign(parameters, { order_id: order_id ?? transaction_id, search_string: search_term });
}

/** Tells the pixels that the options name, where they are on the page. */
export function createPixels(options) {
  return (event, from) => {
    const { consent, event: name, message_id: id, properties = {} } = event;
    // Global Privacy Control takes marketing away at the gateway too.
    if (options.fbq && window.fbq && consent === "marketing" && !navigator.globalPrivacyControl && from !== "click") {
      const meta = metaName(name);
      window.fbq(meta ? "track" : "trackCustom", meta || name, metaParameters(event), { eventID: id });
    }
    // What came from the data layer, Google's tag has already; page views and clicks it measures itself.
    if (options.gtag && window.gtag && mayStore(consent) && from === "call") {
      const transaction_id = properties.transaction_id ?? properties.order_id ?? id;
      window.gtag("event", name, { ...properties, event_id: id, transaction_id });
    }
  };
}
