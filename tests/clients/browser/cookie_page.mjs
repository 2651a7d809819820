// docs/cookies.md: its tables are made of what the browser kept, and compared with what is committed.

import assert from "node:assert";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { SHAPES } from "./jar.mjs";

const FILE = fileURLToPath(new URL("../../../docs/cookies.md", import.meta.url));
const HOW = "node --test tests/clients/browser/cookies.test.mjs";

const row = (cells) => `| ${cells.join(" | ")} |`;
const table = (head, rows) => [row(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(row)].join("\n");
const code = (text) => `\`${text}\``;

/** What became of a cookie in a step: its life, and whether its value is another than before. */
function cell(name, step, before) {
  const [now, then] = [step[name], before?.[name]];
  if (!now) return then ? "gone" : "–";
  if (name === "tg_consent") return `${now.days} d, ${now.value.split(".")[1]}`;
  return `${now.days} d${then && then.value !== now.value ? ", **new value**" : ""}`;
}

/** Two tables for each group of set-ups that are alike: what each cookie is, and what each step makes of it. */
export function matrix(stories) {
  const groups = new Map();
  for (const { name, jars } of stories) {
    const made = tables(jars);
    groups.set(made, [...(groups.get(made) ?? []), name]);
  }
  return [...groups].map(([made, names]) => `The same for ${names.join("; ")}:\n\n${made}`).join("\n\n");
}

function tables(jars) {
  const steps = Object.entries(jars);
  const names = Object.keys(SHAPES).filter((name) => steps.some(([, jar]) => jar[name]));
  const kinds = names.map((name) => {
    const all = steps.map(([, jar]) => jar[name]).filter(Boolean);
    const one = (what) => [...new Set(all.map((cookie) => cookie[what]))].map(code).join(" or ");
    return [code(name), code(SHAPES[name].text), one("domain"), one("path"), one("flags")];
  });
  const lives = names.map((name) => [code(name), ...steps.map(([, jar], n) => cell(name, jar, steps[n - 1]?.[1]))]);
  const head = ["cookie", "value", "domain", "path", "flags"];
  return `${table(head, kinds)}\n\n${table(["cookie", ...steps.map(([name]) => name)], lives)}`;
}

/** A line for each case: what is in the jar after it. */
export function outcomes(cases) {
  const kept = (jar) => Object.keys(SHAPES).filter((name) => jar[name]).map((name) => `${code(name)} ${jar[name].days} d`);
  return table(["when", "cookies, and how long they live"], cases.map(({ name, jar }) => [name, kept(jar).join(", ") || "none"]));
}

/** Compares a part of the page with what was found; with `UPDATE=1` writes it. */
export function compare(part, found) {
  const page = readFileSync(FILE, "utf8");
  const [begin, end] = [`<!-- ${part}: made by UPDATE=1 ${HOW} -->\n`, `\n<!-- /${part} -->`];
  const [before, rest] = page.split(begin);
  assert.ok(rest?.includes(end), `docs/cookies.md lacks its part \`${part}\``);
  const at = rest.indexOf(end);
  if (process.env.UPDATE) return writeFileSync(FILE, before + begin + found + rest.slice(at));
  const hint = `docs/cookies.md shows other cookies than the browser keeps.\nhint: if the browser is right, rewrite it: UPDATE=1 ${HOW}`;
  assert.equal(rest.slice(0, at), found, hint);
}
