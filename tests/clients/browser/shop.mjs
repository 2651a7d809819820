// The shop's own web server: its pages over HTTPS, under any of its names, and the places of it that it hands on to the
// gateway, as nginx does in *path mode*.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request as ask } from "node:http";
import { createServer } from "node:https";

/** Starts it, to end with the test. */
export async function startShop(t, { cert, key }) {
  const shop = new Shop(readFileSync(cert), readFileSync(key));
  await shop.listen();
  t.after(() => shop.close());
  return shop;
}

class Shop {
  /** Where browsers reported that a page broke its policy: the bodies. */
  reports = [];
  #pages = new Map();
  #passed = [];
  #server;

  constructor(cert, key) {
    this.#server = createServer({ cert, key }, (request, response) => this.#serve(request, response));
  }

  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = this.#server.address().port;
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  origin(host = "www.shop.test") {
    return `https://${host}:${this.port}`;
  }

  url(path = "/", host) {
    return this.origin(host) + path;
  }

  /** What is shown at a path: the whole `head` and `body`, and further headers. */
  page(path, { head = "", body = "", headers = {} } = {}) {
    const html = `<!doctype html><html lang="en"><head>${head}<title>Shop</title></head><body>${body}</body></html>`;
    this.#pages.set(path, { html, headers });
  }

  /** Hands what is below `from` on to `to` at the gateway's plain listener: `proxy_pass`. */
  pass(from, port, to) {
    this.#passed.push({ from, port, to });
  }

  async #serve(request, response) {
    const place = this.#passed.find(({ from }) => request.url.startsWith(from));
    if (place) return this.#hand(request, response, place);
    const { pathname } = new URL(request.url, this.origin());
    if (pathname === "/reports") {
      let text = "";
      for await (const chunk of request) text += chunk;
      this.reports.push(text);
      return response.writeHead(204).end();
    }
    const page = this.#pages.get(pathname);
    if (!page) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": "text/html; charset=utf-8", ...page.headers }).end(page.html);
  }

  #hand(request, response, { from, port, to }) {
    const headers = { ...request.headers, "x-forwarded-for": request.socket.remoteAddress, "x-forwarded-proto": "https" };
    const path = to + request.url.slice(from.length);
    const handed = ask({ host: "127.0.0.1", port, path, method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    handed.on("error", () => response.writeHead(502).end());
    request.pipe(handed);
  }
}
