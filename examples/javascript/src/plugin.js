// Kompas Ads, an imaginary platform with the quirks of real ones: the same plugin is beside it in Rust and Python.
//
// Its Conversions API v2 wants Unix seconds, amounts as text in the currency's smallest unit, currencies in lower case and
// identifiers as lists of digests. It judges each conversion of a request by itself, in a body with status 200.

import { verdict } from './answer.js';
import {
  cookie, identifier, invalid, jsonRequest, minorUnits, money, moneyRequired, properties, quantity, seconds, skip, some,
} from './tidegate.js';

/** @typedef {import('./tidegate.js').Event} Event */
/** @typedef {import('./tidegate.js').Context} Context */
/** @typedef {import('./tidegate.js').Request} Request */

/**
 * @param {Event} event
 * @param {Context} ctx
 * @returns {Request[]}
 */
function transform(event, ctx) {
  const { type, label } = named(event, JSON.parse(ctx.config));
  const worth = type === 'SALE' ? moneyRequired(event) : money(event);
  const user = {
    em: some([identifier(event, 'email')]),
    ph: some([identifier(event, 'phone')]),
    ref: event.userId,
    agent: event.client?.userAgent,
  };
  const clickRef = cookie(event, '_kompas');
  if ([user.em, user.ph, user.ref, clickRef].every((found) => found === undefined)) {
    throw invalid('nothing that Kompas could find the customer by');
  }
  const conversion = {
    dedup_key: event.id,
    type,
    label,
    event_time: seconds(event.atMs),
    amount: worth && minorUnits(worth.value, worth.currency),
    currency: worth?.currency.toLowerCase(),
    order_ref: event.orderId,
    coupon: properties(event).coupon,
    basket: some(event.items.map((item) => product(item, event.currency))),
    click_ref: clickRef,
    source_url: event.page?.url,
    user,
    limited_data_use: event.consent.limitedDataUse,
  };
  // A dry run is checked and shown in Kompas Studio, and counts for nothing.
  const query = /** @type {[string, string][]} */ (ctx.testMode ? [['dry_run', '1']] : []);
  return [jsonRequest('conversions', { conversions: [conversion] }, { query })];
}

const NAMES = new Map([
  ['purchase', 'SALE'],
  ['generate_lead', 'LEAD'],
  ['sign_up', 'SIGNUP'],
  ['add_to_cart', 'BASKET'],
]);

/**
 * What Kompas calls the event, and what it is labelled with where that says too little.
 * @param {Event} event
 * @param {{ custom_events: 'send' | 'drop' }} config
 */
function named(event, config) {
  const type = event.kind === 'track' ? NAMES.get(event.name) : undefined;
  if (type !== undefined) {
    return { type, label: undefined };
  }
  if (event.kind !== 'track' || config.custom_events === 'drop') {
    throw skip('not a conversion');
  }
  return { type: 'CUSTOM', label: event.name };
}

/**
 * A product needs its number; a price is in the event's currency, or not said.
 * @param {Event['items'][number]} item
 * @param {string | undefined} currency
 */
function product(item, currency) {
  const priced = item.price !== undefined && currency !== undefined;
  return item.id === undefined ? undefined : {
    sku: item.id,
    name: item.name,
    qty: quantity(item),
    unit_price: priced ? minorUnits(item.price, currency) : undefined,
  };
}

export const plugin = { transform, classify: verdict };
