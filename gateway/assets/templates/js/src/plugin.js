// Reports purchases and leads to the conversions API of Example Ads.

import { byStatus, identifier, jsonRequest, money, moneyRequired, round, seconds, skip, some } from './tidegate.js';

/** @typedef {import('./tidegate.js').Event} Event */
/** @typedef {import('./tidegate.js').Context} Context */
/** @typedef {import('./tidegate.js').Request} Request */
/** @typedef {import('./tidegate.js').Response} Response */
/** @typedef {import('./tidegate.js').Verdict} Verdict */

/**
 * One event to the requests that report it. What is not to be sent is thrown: `skip(reason)` or `invalid(reason)`.
 * @param {Event} event
 * @param {Context} ctx `JSON.parse(ctx.config)` is the destination's configuration
 * @returns {Request[]}
 */
function transform(event, ctx) {
  const [type, worth] = kind(event);
  const conversion = {
    id: event.id,
    type,
    time: seconds(event.atMs),
    email_sha256: identifier(event, 'email'),
    value: worth && round(worth.value, worth.currency),
    currency: worth?.currency,
    order_id: event.orderId,
    products: some(event.items.map((item) => item.id)),
  };
  // The platform checks and shows a test, and counts it for nothing.
  const query = /** @type {[string, string][]} */ (ctx.testMode ? [['test', '1']] : []);
  return [jsonRequest('conversions', { conversions: [conversion] }, { query })];
}

/** @param {Event} event */
function kind(event) {
  switch (event.name) {
    case 'purchase':
      return /** @type {const} */ (['purchase', moneyRequired(event)]);
    case 'generate_lead':
      return /** @type {const} */ (['lead', money(event)]);
    default:
      throw skip('not a conversion');
  }
}

/**
 * What the platform's answer means: by its status, as with most platforms. Look closer where yours says more.
 * @param {Response} response
 * @param {number} count
 * @param {Context} ctx
 * @returns {Verdict}
 */
function classify(response, count, ctx) {
  return byStatus(response, count, ctx);
}

export const plugin = { transform, classify };
