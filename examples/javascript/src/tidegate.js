// What most platforms want, so that no plugin writes it again: money, times, and what an answer means. The rules are
// those of the Rust SDK, to the last digit. There is no clock and no chance in here.

/** @typedef {import('tidegate:destination/plugin@0.2.0').Event} Event */
/** @typedef {import('tidegate:destination/plugin@0.2.0').Context} Context */
/** @typedef {import('tidegate:destination/plugin@0.2.0').Request} Request */
/** @typedef {import('tidegate:destination/plugin@0.2.0').Response} Response */
/** @typedef {import('tidegate:destination/plugin@0.2.0').Verdict} Verdict */
/** @typedef {import('tidegate:destination/plugin@0.2.0').Outcome} Outcome */
/** @typedef {import('tidegate:destination/plugin@0.2.0').Rejection} Rejection */

/**
 * The event is none of this destination's business: `throw skip('not a conversion')`.
 * @param {string} reason
 * @returns {Rejection}
 */
export const skip = (reason) => ({ tag: 'skip', val: reason });

/**
 * The platform would refuse or ignore it: `throw invalid('purchase without currency')`.
 * @param {string} reason
 * @returns {Rejection}
 */
export const invalid = (reason) => ({ tag: 'invalid', val: reason });

/**
 * A request with a JSON body, to an endpoint of the manifest. A field that is `undefined` is left out.
 * @param {string} endpoint
 * @param {unknown} body
 * @param {{ path?: [string, string][], query?: [string, string][], headers?: [string, string][] }} more
 * @returns {Request}
 */
export function jsonRequest(endpoint, body, { path = [], query = [], headers = [] } = {}) {
  return {
    endpoint,
    path,
    query,
    headers: [['content-type', 'application/json'], ...headers],
    body: new TextEncoder().encode(JSON.stringify(body)),
  };
}

/**
 * What the event says of a person, if it was granted: `identifier(event, 'email')`.
 * @param {Event} event
 * @param {string} key
 * @returns {string | undefined}
 */
export const identifier = (event, key) => event.identifiers.find((known) => known.key === key)?.value;

/**
 * The advertising click that led here, if it was granted: `click(event, 'gclid')?.value`.
 * @param {Event} event
 * @param {string} kind
 */
export const click = (event, kind) => event.clicks.find((known) => known.kind === kind);

/**
 * A first-party cookie of a platform, if it was granted: `cookie(event, '_fbp')`.
 * @param {Event} event
 * @param {string} name
 * @returns {string | undefined}
 */
export const cookie = (event, name) => event.cookies.find(([known]) => known === name)?.[1];

/**
 * The granted rest of the event's properties.
 * @param {Event} event
 * @returns {Record<string, any>}
 */
export const properties = (event) => JSON.parse(event.properties);

/**
 * How many pieces of a product: one, where nothing sensible is said.
 * @param {Event['items'][number]} item
 */
export const quantity = ({ quantity: pieces }) =>
  pieces !== undefined && Number.isFinite(pieces) && pieces >= 0 ? pieces : 1;

/**
 * A list without the `undefined` in it, and `undefined` where nothing is left: how an empty field is left out.
 * @template T
 * @param {(T | undefined)[]} values
 * @returns {T[] | undefined}
 */
export function some(values) {
  const known = /** @type {T[]} */ (values.filter((value) => value !== undefined));
  return known.length > 0 ? known : undefined;
}

/**
 * Whole Unix seconds.
 * @param {bigint} ms
 */
export const seconds = (ms) => Number(ms / 1000n);

/**
 * RFC 3339 in UTC with milliseconds: `2026-01-15T14:32:00.000Z`.
 * @param {bigint} ms
 */
export const iso8601 = (ms) => new Date(Number(ms)).toISOString();

/**
 * What the event is worth, when it says both a value and its currency.
 * @param {Event} event
 * @returns {{ value: number, currency: string } | undefined}
 */
export function money({ value, currency }) {
  return value === undefined || currency === undefined ? undefined : { value, currency };
}

/**
 * What the event is worth, where the platform insists on it; throws what is missing. A currency is never guessed.
 * @param {Event} event
 */
export function moneyRequired(event) {
  const found = money(event);
  if (found) {
    return found;
  }
  const missing = [event.value === undefined && 'value', event.currency === undefined && 'currency'].filter(Boolean);
  throw invalid(`${event.name} without ${missing.join(' and ')}`);
}

const DECIMALS_NONE = 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF'.split(' ');
const DECIMALS_THREE = 'BHD IQD JOD KWD LYD OMR TND'.split(' ');

/**
 * The decimals of a currency, by ISO 4217; two where it is not known.
 * @param {string} currency
 */
export function decimals(currency) {
  return DECIMALS_NONE.includes(currency) ? 0 : DECIMALS_THREE.includes(currency) ? 3 : 2;
}

/**
 * An amount rounded to the decimals that its currency has: `0.1 + 0.2` euros are `0.3`.
 * @param {number} value
 * @param {string} currency
 */
export function round(value, currency) {
  const factor = 10 ** decimals(currency);
  // Past 2^53 every value is whole already, and scaling would only lose digits.
  return Math.abs(value * factor) < 9e15 ? halfAwayFromZero(value * factor) / factor : value;
}

/**
 * An amount in the currency's smallest unit, as text: `14999` for 149.99 euros, `1999` for 1999 yen.
 * @param {number} value
 * @param {string} currency
 */
export function minorUnits(value, currency) {
  const scaled = halfAwayFromZero(value * 10 ** decimals(currency));
  return String(BigInt(Math.min(Math.max(scaled, -Number.MAX_VALUE), Number.MAX_VALUE)));
}

/** @param {number} value */
function halfAwayFromZero(value) {
  const whole = Math.trunc(value);
  // Adding zero turns `-0` into `0`.
  return (Math.abs(value - whole) >= 0.5 ? whole + Math.sign(value) : whole) + 0;
}

/**
 * What an answer means by its status: the default, for a plugin to correct where its platform says more.
 * @param {Response} response
 * @param {number} count
 * @param {Context} ctx
 * @returns {Verdict}
 */
export function byStatus(response, count, ctx) {
  const { status } = response;
  if (status >= 200 && status <= 299) {
    return { tag: 'delivered' };
  }
  if ([408, 425, 429].includes(status) || (status >= 500 && status <= 599)) {
    return { tag: 'retry', val: retryAfterMs(response, ctx.nowMs) };
  }
  if ([401, 403, 407].includes(status)) {
    return { tag: 'credentials', val: reason(response) };
  }
  if (count > 1 && [400, 413, 422].includes(status)) {
    // The answer does not tell which of the events is bad: they are tried apart.
    return { tag: 'split' };
  }
  const redirect = status >= 300 && status <= 399 ? ' (redirects are not followed)' : '';
  return { tag: 'reject', val: reason(response) + redirect };
}

/**
 * The status and the beginning of the body, for a person: `HTTP 400: {"error":"unknown account"}`.
 * @param {Response} response
 */
export function reason({ status, body }) {
  const start = excerpt(body);
  return start === '' ? `HTTP ${status}` : `HTTP ${status}: ${start}`;
}

/**
 * The first 200 characters of a body, on one line, without what cannot be printed.
 * @param {Uint8Array} body
 */
export function excerpt(body) {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(body.slice(0, 800));
  const line = text.replace(/[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/g, ' ');
  const printable = line.replace(/[\u0000-\u001f\u007f-\u009f\ufffd]/g, '');
  return [...printable].slice(0, 200).join('').replace(/^ +| +$/g, '');
}

/**
 * The body as JSON; `undefined` where it is none.
 * @param {Response} response
 * @returns {any}
 */
export function bodyJson({ body }) {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}

/**
 * How long the answer's `Retry-After` asks to wait, in milliseconds: from seconds, or an HTTP date after `nowMs`.
 * @param {Response} response
 * @param {bigint} nowMs
 * @returns {bigint | undefined}
 */
export function retryAfterMs(response, nowMs) {
  const value = header(response, 'retry-after')?.trim();
  if (value === undefined) {
    return undefined;
  }
  if (/^\d{1,15}$/.test(value)) {
    return BigInt(value) * 1000n;
  }
  const atMs = parseHttpDate(value);
  return atMs === undefined ? undefined : atMs > nowMs ? atMs - nowMs : 0n;
}

/**
 * The first header with this name, whose case does not matter.
 * @param {Response} response
 * @param {string} name
 * @returns {string | undefined}
 */
export const header = (response, name) =>
  response.headers.find(([known]) => known.toLowerCase() === name.toLowerCase())?.[1];

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const HTTP_DATE = /^[A-Za-z]+, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) ([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60) GMT$/;

/** @param {string} text */
function parseHttpDate(text) {
  const found = HTTP_DATE.exec(text);
  const month = MONTHS.indexOf(found?.[2] ?? '');
  if (!found || month < 0) {
    return undefined;
  }
  const [day, year, hour, minute, second] = [1, 3, 4, 5, 6].map((at) => Number(found[at]));
  return BigInt(Date.UTC(year, month, day, hour, minute, second));
}
