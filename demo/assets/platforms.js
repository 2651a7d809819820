// Shows what each fake platform received. Everything here may be hostile, so all of it is text.

const TITLES = { meta: "Meta Conversions API", ga4: "Google Analytics 4", webhook: "Webhook" };
const MOODS = { normal: "answers normally", down: "is down (500)", throttled: "is throttling (429)", refusing: "refuses events (400)", unauthorized: "refuses the credentials (401)", silent: "never answers" };
const root = document.getElementById("platforms");
const sections = new Map();

function el(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

function section(platform) {
  let known = sections.get(platform.name);
  if (!known) {
    const box = el("section");
    const head = el("h2", "", TITLES[platform.name] ?? platform.name);
    const facts = head.appendChild(el("span"));
    const list = el("div");
    box.append(head, moods(platform), list);
    root.append(box);
    known = { facts, list, shown: -1 };
    sections.set(platform.name, known);
  }
  return known;
}

/** A choice of how the platform answers from now on. */
function moods({ name, mood: now }) {
  const label = el("label", "mood", "From now on it ");
  const select = label.appendChild(el("select"));
  for (const [mood, text] of Object.entries(MOODS)) select.append(new Option(text, mood));
  select.value = now;
  select.classList.toggle("bad", now !== "normal");
  select.addEventListener("change", () => {
    select.classList.toggle("bad", select.value !== "normal");
    fetch(`/platforms/${name}/mood`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(select.value) });
  });
  return label;
}

function article(request) {
  const box = el("article");
  const line = el("div", "line");
  const status = el("span", request.status >= 200 && request.status < 300 ? "status" : "status bad", request.status === null ? "no answer" : String(request.status));
  const time = el("time", "", new Date(request.arrived_ms).toLocaleTimeString());
  const names = request.names.join(", ");
  line.append(status, el("b", "", names || request.method), time);
  box.append(line, el("p", "path", `${request.method} ${request.target}`));
  for (const problem of request.problems) box.append(el("p", "problem", problem));
  box.append(el("pre", "", request.json === null ? request.text : JSON.stringify(request.json, null, 2)));
  const headers = el("details");
  headers.append(el("summary", "", "Headers"), el("pre", "", request.headers.map(([name, value]) => `${name}: ${value}`).join("\n")));
  box.append(headers);
  return box;
}

async function refresh() {
  if (document.hidden || document.getElementById("pause").checked) return;
  const response = await fetch("/platforms.json");
  if (!response.ok) return;
  for (const platform of await response.json()) {
    const known = section(platform);
    known.facts.textContent = `${platform.url} · ${count(platform.events, "event")} in ${count(platform.total, "request")}`;
    if (known.shown === platform.total) continue;
    known.shown = platform.total;
    known.list.replaceChildren(...(platform.requests.length ? platform.requests.map(article) : [el("article", "nothing", "Nothing yet.")]));
  }
}

setInterval(() => refresh().catch(() => {}), 2000);
document.addEventListener("visibilitychange", () => refresh().catch(() => {}));
refresh().catch(() => {});
