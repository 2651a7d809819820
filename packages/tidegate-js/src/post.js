// One request to the gateway, and what its answer means.

const TIMEOUT_MS = 30_000;

/** Seconds or a date. */
function retryAfterMs(headers) {
  const after = headers.get("retry-after");
  if (!after) return 0;
  const ms = isFinite(after) ? after * 1_000 : Date.parse(after) - Date.now();
  return Math.min(Math.max(ms, 0) || 0, 3_600_000);
}

/**
 * Posts a body. Gives `{ again, afterMs, status, reply }`: whether the same events should be sent again, and when at
 * the earliest. Text without headers of its own needs no preflight.
 */
export async function post(endpoint, body) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
  try {
    const answer = await fetch(endpoint, { method: "POST", credentials: "include", keepalive: true, body, signal: abort.signal });
    const { status, headers } = answer;
    const reply = await answer.json().catch(() => undefined);
    // A 200 that is no gateway's, such as a portal's page, acknowledges nothing.
    const again = status === 408 || status === 429 || status >= 500 || (answer.ok && !reply?.success);
    return { status, reply, again, afterMs: retryAfterMs(headers) };
  } catch (error) {
    return { status: 0, reply: String(error), again: true, afterMs: 0 };
  } finally {
    clearTimeout(timer);
  }
}

/** Hands a body to the browser, which sends it though the page is gone. Whether it was taken. */
export const beacon = (endpoint, body) => navigator.sendBeacon?.(endpoint, body);
