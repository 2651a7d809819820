// Natively, without WebAssembly: `npm test`. `tidegate plugin test` runs the fixtures in the sandbox.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { plugin } from '../src/plugin.js';
import { exampleContext, exampleEvent, exampleResponse } from '../support/example.js';

test('a purchase is reported with its worth', () => {
  const event = exampleEvent({ value: 0.1 + 0.2, currency: 'EUR', orderId: 'A-1' });
  const [request] = plugin.transform(event, exampleContext({ account_id: '4711' }));
  assert.equal(request.endpoint, 'conversions');
  assert.deepEqual(JSON.parse(new TextDecoder().decode(request.body)), {
    conversions: [
      { id: 'evt_1', type: 'purchase', time: 1768487520, value: 0.3, currency: 'EUR', order_id: 'A-1' },
    ],
  });
});

test('a page view is skipped', () => {
  const transform = () => plugin.transform(exampleEvent({ name: 'page_view' }), exampleContext());
  assert.throws(transform, { tag: 'skip', val: 'not a conversion' });
});

test('a purchase without a currency is never sent', () => {
  const transform = () => plugin.transform(exampleEvent({ value: 1 }), exampleContext());
  assert.throws(transform, { tag: 'invalid', val: 'purchase without currency' });
});

test('an answer of a server in trouble is tried again', () => {
  const answer = exampleResponse(503, '', [['Retry-After', '30']]);
  assert.deepEqual(plugin.classify(answer, 1, exampleContext()), { tag: 'retry', val: 30000n });
});
