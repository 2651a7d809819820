// What Kompas's answer means. With status 200 it still judges each conversion: `results` has one code for each.

import { bodyJson, byStatus } from './tidegate.js';

/**
 * @param {import('./tidegate.js').Response} response
 * @param {number} count
 * @param {import('./tidegate.js').Context} ctx
 * @returns {import('./tidegate.js').Verdict}
 */
export function verdict(response, count, ctx) {
  const answer = bodyJson(response) ?? {};
  if (response.status === 200 && typeof answer.error === 'string') {
    return { tag: 'credentials', val: `Kompas: ${answer.error}` };
  }
  if (response.status === 200 && Array.isArray(answer.results) && answer.results.length === count) {
    return { tag: 'each', val: answer.results.map(outcome) };
  }
  if (response.status === 429 && Number.isInteger(answer.retry_after_ms)) {
    // It says in its own way when to come back.
    return { tag: 'retry', val: BigInt(answer.retry_after_ms) };
  }
  return byStatus(response, count, ctx);
}

/**
 * @param {{ code: number, message?: string }} judged
 * @returns {import('./tidegate.js').Outcome}
 */
function outcome({ code, message = '' }) {
  // 1: it has this `dedup_key` already.
  if (code === 0 || code === 1) {
    return { tag: 'delivered' };
  }
  // It could not look just now.
  if (code >= 90 && code <= 99) {
    return { tag: 'retry', val: undefined };
  }
  return { tag: 'reject', val: `Kompas ${code}: ${message}` };
}
