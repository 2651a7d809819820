// A certificate for the shop's hosts, made anew for each run, and what makes Chromium trust it.

import { execFileSync } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const NAMES = ["shop.test", "*.shop.test", "other.test", "*.other.test"];

/** Makes an authority and a certificate of it in `dir`. `spki` is its key's hash, as Chromium's option takes it. */
export function makeCertificate(dir) {
  const openssl = (...words) => execFileSync("openssl", words, { cwd: dir, stdio: "pipe" });
  const made = ["req", "-x509", "-days", "2", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  openssl(...made, "-subj", "/CN=The tests", "-keyout", "authority.key", "-out", "authority.pem");
  const extensions = [`subjectAltName=${NAMES.map((name) => `DNS:${name}`)}`, "basicConstraints=critical,CA:FALSE"];
  const signed = ["-CA", "authority.pem", "-CAkey", "authority.key", ...extensions.flatMap((line) => ["-addext", line])];
  openssl(...made, ...signed, "-subj", "/CN=shop.test", "-keyout", "shop.key", "-out", "shop.pem");
  const [cert, key] = ["shop.pem", "shop.key"].map((name) => join(dir, name));
  const der = new X509Certificate(readFileSync(cert)).publicKey.export({ type: "spki", format: "der" });
  return { cert, key, spki: createHash("sha256").update(der).digest("base64") };
}
