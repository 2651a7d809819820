// The platforms that the gateway delivers to: take everything, answer as theirs do, and remember what came.

import { once } from "node:events";
import { createServer } from "node:http";
import { until } from "./until.mjs";

/** Starts them, to end with the test. */
export async function startPlatforms(t) {
  const platforms = new Platforms();
  await platforms.listen();
  t.after(() => platforms.close());
  return platforms;
}

class Platforms {
  /** What each got, in order: Meta's and GA4's events as those platforms name things, and the webhook's. */
  meta = [];
  ga4 = [];
  hook = [];
  #server = createServer((request, response) => this.#take(request, response));

  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.url = `http://127.0.0.1:${this.#server.address().port}`;
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Waits for what the webhook got of an event's name, or of an id. */
  hooked(wanted) {
    const said = () => `${wanted} at the webhook, which got ${JSON.stringify(this.hook.map(({ type }) => type))}`;
    return until(said, () => this.hook.find(({ type, data }) => type === wanted || data.id === wanted));
  }

  async #take(request, response) {
    let text = "";
    for await (const chunk of request) text += chunk;
    const body = JSON.parse(text);
    const { pathname } = new URL(request.url, this.url);
    const answer = (status, json) => response.writeHead(status, { "content-type": "application/json" }).end(json && JSON.stringify(json));
    if (pathname === "/hook") {
      this.hook.push(body);
      answer(200, {});
    } else if (pathname.endsWith("/mp/collect")) {
      this.ga4.push(...body.events.map((event) => ({ ...event, client_id: body.client_id })));
      answer(204);
    } else if (/^\/v\d+\.\d+\/\d+\/events$/.test(pathname)) {
      this.meta.push(...body.data);
      answer(200, { events_received: body.data.length, messages: [], fbtrace_id: "A1b2" });
    } else answer(404, {});
  }
}
