import assert from 'node:assert/strict';
import { test } from 'node:test';

import { plugin } from '../src/plugin.js';
import { exampleContext, exampleEvent, exampleResponse } from '../support/example.js';

const CONTEXT = exampleContext({ advertiser_id: '1', custom_events: 'drop' });

test('whom nobody can find is not sent', () => {
  const transform = () => plugin.transform(exampleEvent({ value: 1, currency: 'EUR' }), CONTEXT);
  assert.throws(transform, { tag: 'invalid', val: 'nothing that Kompas could find the customer by' });
});

test('each conversion of a batch is judged by its own code', () => {
  const answer = exampleResponse(200, { results: [{ code: 1 }, { code: 90 }, { code: 17, message: 'no such sku' }] });
  assert.deepEqual(plugin.classify(answer, 3, CONTEXT), {
    tag: 'each',
    val: [{ tag: 'delivered' }, { tag: 'retry', val: undefined }, { tag: 'reject', val: 'Kompas 17: no such sku' }],
  });
});
