// The least event, context and answer that are whole: what tests start from.

const PURPOSES = { analytics: true, adStorage: true, adUserData: true, adPersonalization: true };

/** @param {Partial<import('../src/tidegate.js').Event>} own */
export const exampleEvent = (own = {}) => ({
  id: 'evt_1',
  name: 'purchase',
  kind: /** @type {const} */ ('track'),
  // 2026-01-15T14:32:00Z
  atMs: 1768487520000n,
  receivedMs: 1768487521000n,
  identifiers: [],
  clicks: [],
  cookies: [],
  consent: { granted: PURPOSES, denied: {}, gpc: false, limitedDataUse: false },
  items: [],
  properties: '{}',
  ...own,
});

/** @param {object} config */
export const exampleContext = (config = {}) => ({
  nowMs: 1768487522000n,
  seed: 1n,
  attempt: 1,
  testMode: false,
  config: JSON.stringify(config),
});

/** @param {number} status @param {unknown} body @param {[string, string][]} headers */
export const exampleResponse = (status, body = '', headers = []) => ({
  endpoint: 'conversions',
  status,
  headers,
  body: new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)),
});
