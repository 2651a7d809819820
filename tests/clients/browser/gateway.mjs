// The gateway under test: the program that cargo built, in a process and a directory of its own.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { until } from "./until.mjs";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
/** Where cargo puts programs; beside them the tests' compiled plugins, which they share. */
const BUILT = join(process.env.CARGO_TARGET_DIR || join(ROOT, "target"), "debug");
export const PLUGIN_CACHE = join(BUILT, "plugin-cache");
const ADMIN_TOKEN = "the-operators-own-token";

/** The write keys of the three sites: on hosts of its own, in path mode, without cookies. */
export const KEYS = { track: "track-key", path: "path-key", bare: "bare-key" };

/** Starts it for the shop's three sites, to end with the test. */
export async function startGateway(t, world) {
  return runGateway(t, text(world));
}

/** Starts it with this configuration, in a directory that has these. */
export async function runGateway(t, config, directories = []) {
  const dir = mkdtempSync(join(tmpdir(), "tidegate-browser-"));
  for (const name of directories) mkdirSync(join(dir, name));
  const file = join(dir, "tidegate.toml");
  writeFileSync(file, config);
  const child = spawn(built("tidegate"), ["run", "--config", file, "--log-format", "json"], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { TIDEGATE_ADMIN_TOKEN: ADMIN_TOKEN, TIDEGATE_VISITOR_KEY: "the-visitor-key-of-the-tests", SHOP_API_KEY: "secret-key", META_TOKEN: "EAAB-token" },
  });
  endWith(t, child, dir);
  return new Gateway(await listening(child));
}

/** A program that cargo built. */
export function built(name) {
  const program = join(BUILT, name);
  if (!existsSync(program)) throw new Error(`${program} is not there: run \`cargo build --workspace\` first, as \`make test\` does`);
  return program;
}

/** Ends a process with the test, and its directory with it. */
export function endWith(t, child, dir) {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  t.after(async () => {
    child.kill("SIGKILL");
    await ended;
    rmSync(dir, { recursive: true });
  });
}

/** Reads the log until it says where the listeners are, and the rest of it for nobody. */
async function listening(child) {
  const said = [];
  const lines = createInterface({ input: child.stderr });
  return new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      said.push(line);
      const [, http, https] = /collecting on http:\/\/[\d.]+:(\d+)(?: and https:\/\/[\d.]+:(\d+))?/.exec(line) ?? [];
      const [, admin] = /admin on http:\/\/[\d.]+:(\d+)/.exec(line) ?? [];
      if (http && admin) resolve({ http, https, admin });
    });
    lines.on("close", () => reject(new Error(`the gateway ended instead of starting:\n${said.join("\n")}`)));
  });
}

class Gateway {
  constructor({ http, https, admin }) {
    this.port = Number(http);
    this.origin = `https://track.shop.test:${https}`;
    this.other = `https://track.other.test:${https}`;
    this.bare = `https://bare.shop.test:${https}`;
    this.#admin = `http://127.0.0.1:${admin}`;
  }

  #admin;

  /** The tag of a page, as the README has it. */
  tag(attributes = "", { src = `${this.origin}/t.js`, key = KEYS.track } = {}) {
    return `<script async src="${src}" data-key="${key}" ${attributes}></script>`;
  }

  async #ask(path) {
    const answer = await fetch(this.#admin + path, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } });
    return answer.ok ? answer.json() : undefined;
  }

  /** What it has taken, the oldest first. */
  async taken() {
    return (await this.#ask("/api/events?limit=200")).events.reverse();
  }

  /** Waits until it has taken the event of this id, and gives its trace. */
  trace(id) {
    const taken = async () => JSON.stringify((await this.taken()).map(({ id, name }) => [name, id]));
    return until(async () => `${id} at the gateway, which took ${await taken()}`, () => this.#ask(`/api/events/${id}`));
  }
}

const destination = (site, name, lines) => `
[[destination]]
name = "${name}"
site = "${site}"
allow_insecure = true
${lines}
`;

function text({ shop, platforms, certificate }) {
  const origins = JSON.stringify(["www.shop.test", "shop.test", "www.other.test"].map((host) => shop.origin(host)));
  const hook = `plugin = "webhook"
config = { url = "${platforms.url}/hook" }
secrets = { signing_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }`;
  return `[listen]
http = "127.0.0.1:0"
https = "127.0.0.1:0"
admin = "127.0.0.1:0"
trusted_proxies = ["127.0.0.1/32"]

[tls]
certificates = [{ cert = "${certificate.cert}", key = "${certificate.key}" }]

[admin]
token = "env:TIDEGATE_ADMIN_TOKEN"

[store]
url = "sqlite:tidegate.db"

[visitor]
keys = ["k1:env:TIDEGATE_VISITOR_KEY"]

[plugins]
cache = "${PLUGIN_CACHE}"

[delivery]
timeout_ms = 2000
backoff_base_ms = 40

[[site]]
name = "track"
hosts = ["track.shop.test", "track.other.test"]
origins = ${origins}
write_keys = ["${KEYS.track}"]
redirect_hosts = ["www.shop.test:${shop.port}"]

[[site]]
name = "path"
hosts = ["www.shop.test", "shop.test"]
origins = ${origins}
write_keys = ["${KEYS.path}"]
snippet = "/lamps.js"

[[site]]
name = "bare"
hosts = ["bare.shop.test"]
origins = ${origins}
write_keys = ["${KEYS.bare}"]
cookieless = true
${destination("track", "hook", hook)}
${destination("path", "path-hook", hook)}
${destination("track", "meta", `plugin = "meta-capi"
config = { pixel_id = "123456789012345" }
secrets = { access_token = "EAAB-token" }
base_url = "${platforms.url}"`)}
${destination("track", "ga4", `plugin = "ga4"
config = { measurement_id = "G-TIDEGATE00" }
secrets = { api_secret = "secret" }
base_url = "${platforms.url}"`)}`;
}
