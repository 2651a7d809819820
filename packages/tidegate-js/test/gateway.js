// A gateway for the package's own tests: takes events as the real one does, serves the script and the site's pages, and
// answers as a test tells it to.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

export const KEY = "demo-write-key";
const WAIT_MS = 20_000;
/** gateway/src/journey/decode/own.rs: any other field is refused. */
const KNOWN = "anonymous_id client clicks consent cookies customer_id event event_id id limited_data_use message_id page properties sent_at session timestamp user user_id".split(" ");
const script = readFileSync(new URL("../dist/tidegate.js", import.meta.url));

/** Starts a gateway that ends with the test. */
export async function startGateway(t) {
  const gateway = new Gateway();
  await gateway.listen();
  t.after(() => gateway.close());
  return gateway;
}

class Gateway {
  /** Every request for events, in order: `{ method, path, headers, body, events, status }`. */
  requests = [];
  /** What the next requests are answered with, instead of what is right: `{ status, headers, body }` or "hang up". */
  answers = [];
  /** Fields for every good answer. */
  extra = {};
  #pages = new Map();
  #waiting = new Set();
  #server = createServer((request, response) => this.#serve(request, response));

  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = this.#server.address().port;
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  url(path = "/", host = "www.shop.localhost") {
    return `http://${host}:${this.port}${path}`;
  }

  /** The tag with these attributes. */
  tag(attributes = "", { src = this.url("/t.js", "track.shop.localhost"), key = KEY } = {}) {
    return `<script async src="${src}" data-key="${key}" ${attributes}></script>`;
  }

  page(path, html, headers = {}) {
    this.#pages.set(path, { html, headers });
  }

  get events() {
    return this.requests.filter(({ status }) => status === 200).flatMap(({ events }) => events);
  }

  named(name) {
    return this.events.filter(({ event }) => event === name);
  }

  /** Waits until `test(gateway)` gives something, and gives it. */
  async until(test, what = test) {
    const got = test(this);
    if (got) return got;
    return new Promise((resolve, reject) => {
      const waiter = () => {
        const got = test(this);
        if (got) done(resolve, got);
      };
      const timer = setTimeout(() => done(reject, new Error(`never came: ${what}; there were ${JSON.stringify(this.requests.map(({ status, events }) => [status, events?.map(({ event }) => event)]))}`)), WAIT_MS);
      const done = (end, value) => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
        end(value);
      };
      this.#waiting.add(waiter);
    });
  }

  /** Waits for the first event of a name that was taken; with `count`, for so many. */
  event(name) {
    return this.until(() => this.named(name)[0], name);
  }

  count(name, count) {
    return this.until(() => this.named(name).length >= count && this.named(name), `${count} of ${name}`);
  }

  async #serve(request, response) {
    const { pathname } = new URL(request.url, "http://any");
    if (pathname.endsWith("/v1/events")) return this.#collect(request, response);
    if (/\/(t|tidegate)\.js$/.test(pathname)) return response.writeHead(200, { "content-type": "text/javascript" }).end(script);
    const page = this.#pages.get(pathname);
    if (!page) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": "text/html", ...page.headers }).end(`<!doctype html>${page.html}`);
  }

  async #collect(request, response) {
    let text = "";
    for await (const chunk of request) text += chunk;
    const taken = { method: request.method, path: request.url, headers: request.headers, bytes: Buffer.byteLength(text) };
    const answer = this.answers.shift() ?? this.#right(request, text);
    try {
      taken.body = JSON.parse(text);
      taken.events = taken.body.events;
    } catch {
      taken.events = [];
    }
    taken.status = answer.status ?? 0;
    this.requests.push(taken);
    if (answer === "hang up") request.socket.destroy();
    else if (answer !== "never") {
      const { origin } = request.headers;
      const cors = origin ? { "access-control-allow-origin": origin, "access-control-allow-credentials": "true", "access-control-expose-headers": "retry-after" } : {};
      response.writeHead(answer.status, { "content-type": "application/json", ...cors, ...answer.headers });
      response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body ?? { success: false, error: "told to" }));
    }
    for (const waiter of [...this.#waiting]) waiter();
  }

  #right(request, text) {
    if (request.method !== "POST") return { status: 405 };
    const { writeKey, events } = JSON.parse(text);
    if (writeKey !== KEY) return { status: 401, body: { success: false, error: "unknown key" } };
    const errors = events.flatMap((event, index) => {
      const field = Object.keys(event).find((name) => !KNOWN.includes(name));
      if (field) return [{ index, field, message: `${field}: unknown` }];
      return typeof event.properties?.value === "string" ? [{ index, field: "properties.value", message: "text" }] : [];
    });
    const success = !errors.length;
    return { status: success ? 200 : 400, body: { success, accepted: events.length - errors.length, errors, ...this.extra } };
  }
}
