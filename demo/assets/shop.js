// The demo shop: a few pages and a cart. What happens is told to `tidegate(…)`, as in any shop; the tag's script sends it.
// What this page has more than others: it watches that script's requests, and shows what was sent and answered.

// The tag's stub: calls before the script has come wait for it.
window.tidegate ??= function () {
  (window.tidegate.q ??= []).push(arguments);
};

const PRODUCTS = [
  { id: "lantern-01", name: "Harbour lantern", category: "Light", price: 149.99, art: "art-lamp",
    about: "Brass and thick glass, made to be seen from the water." },
  { id: "mug-07", name: "Tide mug", category: "Kitchen", price: 18.5, art: "art-mug",
    about: "Enamelled steel. Keeps the tea warm and survives the deck." },
  { id: "blanket-03", name: "Watch blanket", category: "Home", price: 89, art: "art-blanket",
    about: "Thick wool for the late watch, or the early sofa." },
];
const CURRENCY = "EUR";
const SAYS = {
  none: "Nothing leaves the gateway, and no cookie is set.",
  analytics: "Measured without identifiers or click IDs. No ad platform.",
  marketing: "Everything may be sent, to every destination.",
};
/** What each platform's ads add to the address of the page that they lead to. */
const ADS = {
  Google: "gclid=Cj0KCQjwDemo_gclid-123", LinkedIn: "li_fat_id=df5bd2bd-0c6c-4f5f-8a2f-2f6a3b0e4a11", Meta: "fbclid=IwAR2F4-dbP0l7Mn1IawQQGCINEz7PYXQvwjNwB_qa2ofrHyiLjcbCRxTDMgk",
  Microsoft: "msclkid=dd4afcccb1c9a4cad9544dd7e5006b21", Pinterest: "epik=dj0yJnU9b2JDcFFHekV4SHJNcmVrbFBkUEdqakh0akdUT1VjVVUm", Reddit: "rdt_cid=3184742045291813272",
  Snap: "ScCid=1a2b3c4d-5e6f-4a8b-9c0d-1e2f3a4b5c6d", TikTok: "ttclid=E.C.P.CrUBdGVzdA", X: "twclid=23opevjt88psuo13lu8d020qkn",
};
// Obviously nobody: example.com and 555 numbers are reserved for this.
const BUYER = {
  first_name: "Mary", last_name: "Example", email: "mary.example@example.com", phone: "+1 (650) 555-1212",
  street: "1 Example Street", city: "Springfield", postal_code: "94043", state: "CA", country: "US",
};
const CUSTOMER = "cust_12345";
const ADDRESS = ["street", "city", "postal_code", "state", "country"];

const settings = JSON.parse(document.getElementById("settings").textContent);
const main = document.getElementById("main");
const money = new Intl.NumberFormat("en-IE", { style: "currency", currency: CURRENCY });

/** Makes an element: `el("p", { class: "note" }, "text", child)`. Text is always text. */
function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick" || key === "onsubmit") element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const art = (product) => document.getElementById(product.art).content.firstElementChild.cloneNode(true);

// ---- what the browser remembers ------------------------------------------------------------------------------------

const cart = new Map(JSON.parse(localStorage.getItem("cart") ?? "[]"));
function setQuantity(id, quantity) {
  if (quantity > 0) cart.set(id, quantity); else cart.delete(id);
  localStorage.setItem("cart", JSON.stringify([...cart]));
  document.getElementById("cart-count").textContent = [...cart.values()].reduce((sum, one) => sum + one, 0);
}
const lines = () => [...cart].map(([id, quantity]) => ({ product: PRODUCTS.find((one) => one.id === id), quantity }))
  .filter((line) => line.product);
const total = () => Math.round(lines().reduce((sum, line) => sum + line.product.price * line.quantity, 0) * 100) / 100;

const consentForm = document.getElementById("consent");
const consent = () => consentForm.elements.consent.value;
consentForm.elements.consent.value = localStorage.getItem("consent") ?? "marketing";
function showConsent() {
  localStorage.setItem("consent", consent());
  document.getElementById("consent-says").textContent = SAYS[consent()];
  tags(consent());
  window.tidegate("consent", consent());
}
consentForm.addEventListener("change", () => { showConsent(); showCookies(); });
consentForm.addEventListener("submit", (event) => event.preventDefault());
showConsent();

/**
 * Does what the platforms' own tags do in a real shop: keeps their cookies, as far as the consent goes. The gateway reads
 * them, and platforms find the visitor by them again; when the consent is taken back, it expires them with its own.
 */
function tags(level) {
  const now = Math.floor(Date.now() / 1000);
  const random = (digits) => String(Math.random()).slice(2, 2 + digits).padEnd(digits, "7");
  const cookies = {
    analytics: { _ga: () => `GA1.1.${random(10)}.${now}`, _ga_TIDEGATE00: () => `GS2.1.s${now}$o1$g1$t${now}$j60$l0$h0` },
    marketing: { _rdt_uuid: () => `${Date.now()}.${crypto.randomUUID()}`, _scid: () => crypto.randomUUID(), _ttp: () => crypto.randomUUID().replaceAll("-", "").slice(0, 27) },
  };
  const granted = { none: {}, analytics: cookies.analytics, marketing: { ...cookies.analytics, ...cookies.marketing } }[level];
  for (const [name, value] of Object.entries(granted)) {
    const there = document.cookie.split("; ").some((pair) => pair.startsWith(`${name}=`));
    if (!there) document.cookie = `${name}=${value()}; path=/; max-age=7776000; samesite=lax`;
  }
}
const OF_TAGS = ["_ga", "_ga_TIDEGATE00", "_rdt_uuid", "_scid", "_ttp"];

// ---- telling -------------------------------------------------------------------------------------------------------

const item = (product, quantity) => ({ item_id: product.id, item_name: product.name, item_brand: "Lantern & Tide", item_category: product.category, price: product.price, quantity });

/** Tells of events, as `[name, properties]`. */
function tell(...happened) {
  for (const [name, properties] of happened) window.tidegate("track", name, properties);
}

// ---- watching ------------------------------------------------------------------------------------------------------

const ENDPOINT = `${settings.gateway}/v1/events`;

/** Shows the events of a request to the gateway; nothing of any other. */
function watched(url, body) {
  if (url !== ENDPOINT || typeof body !== "string") return [];
  const { events } = JSON.parse(body);
  // What is refused has a trace as well.
  const bought = events.find(({ event }) => event === "purchase");
  if (bought && document.getElementById("way")) document.getElementById("way").href = way(bought.message_id);
  return events.map(showEvent);
}

const send = window.fetch;
window.fetch = async function (url, options) {
  const cards = watched(String(url), options?.body);
  try {
    const response = await send.call(this, url, options);
    if (cards.length) {
      const answer = await response.clone().text().then((text) => { try { return JSON.parse(text); } catch { return text; } });
      cards.forEach((card) => card.answered(response, answer));
    }
    return response;
  } catch (error) {
    cards.forEach((card) => card.failed(error));
    throw error;
  } finally {
    if (cards.length) showCookies();
  }
};
const beacon = navigator.sendBeacon;
navigator.sendBeacon = function (url, body) {
  watched(String(url), body).forEach((card) => card.handed());
  return beacon.call(this, url, body);
};

// ---- what happened to your event -----------------------------------------------------------------------------------

const CARDS_MAX = 12;
/** Where the dashboard shows an event. That a page knows the dashboard's token is fine in a demo, and nowhere else. */
const dashboard = () => `${settings.dashboard}/#token=${settings.token}`;
const way = (id) => `${dashboard()}&event=${encodeURIComponent(id)}`;
const pretty = (value) => typeof value === "string" ? value : JSON.stringify(value, null, 2);

function showEvent(event) {
  const state = el("span", { class: "tag" }, "sending …");
  const more = el("details", {}, el("summary", {}, "Sent and answered"), el("pre", {}, pretty(event)));
  const link = el("a", { href: way(event.message_id), target: "tidegate-dashboard" }, "See its whole way →");
  const time = el("time", { datetime: new Date(event.timestamp).toISOString() }, new Date(event.timestamp).toLocaleTimeString());
  const card = el("li", { class: "event" },
    el("div", { class: "line" }, el("span", { class: "name" }, event.event), time),
    el("div", { class: "line" }, state, el("span", { class: "tag" }, `consent: ${event.consent ?? "not told"}`)),
    more);
  document.getElementById("panel-hint").hidden = true;
  const list = document.getElementById("events");
  list.prepend(card);
  while (list.children.length > CARDS_MAX) list.lastElementChild.remove();
  // The gateway's own word for this one event: accepted, duplicate or refused.
  const outcome = (answer) => answer?.events?.find?.((one) => one.id === event.message_id)?.outcome;
  const settle = (text, kind, answer) => {
    state.textContent = text;
    state.classList.add(kind);
    more.append(el("pre", {}, pretty(answer)));
  };
  return {
    answered(response, answer) {
      const word = outcome(answer) ?? (response.ok ? "accepted" : "refused");
      settle(`${word} · ${response.status}`, word === "refused" ? "bad" : "good", answer);
      if (word !== "refused" || response.status === 400) card.insertBefore(link, more);
    },
    failed(error) { settle("the gateway cannot be reached", "bad", String(error)); },
    /** The page was hidden or left, and the browser sends it: nobody sees the answer. */
    handed() { settle("handed to the browser", "good", "Sent while the page was hidden or left: no script sees the answer."); card.insertBefore(link, more); },
  };
}

function showCookies() {
  const pairs = document.cookie.split("; ").filter(Boolean).map((pair) => pair.split(/=(.*)/s));
  const rows = pairs.sort().flatMap(([name, value]) => [el("dt", {}, OF_TAGS.includes(name) ? `${name} *` : name), el("dd", {}, value ?? "")]);
  document.getElementById("tags-hint").hidden = !pairs.some(([name]) => OF_TAGS.includes(name));
  document.getElementById("cookies").replaceChildren(...(rows.length ? rows : [el("dd", {}, "none")]));
}

// ---- pages ---------------------------------------------------------------------------------------------------------

function addToCart(product) {
  setQuantity(product.id, (cart.get(product.id) ?? 0) + 1);
  tell(["add_to_cart", { value: product.price, currency: CURRENCY, items: [item(product, 1)] }]);
}

function home() {
  const query = new URLSearchParams(location.search);
  const clicks = Object.values(ADS).map((pair) => pair.split("=")[0]).filter((name) => query.has(name));
  const banner = clicks.length ? el("p", { class: "from-ad" }, "You came from an ad: this page’s address carries ", el("code", {}, clicks.join(", ")),
    ". Browse on, and it is gone from the address; the gateway remembers it for the purchase.") : null;
  const products = PRODUCTS.map((product) => el("li", { class: "product" },
    art(product),
    el("div", { class: "about" },
      el("h2", {}, el("a", { href: `/p/${product.id}`, "data-go": "" }, product.name)),
      el("p", {}, product.about),
      el("div", { class: "row" }, el("span", { class: "price" }, money.format(product.price)),
        el("button", { type: "button", "aria-label": `Add ${product.name} to the cart`, onclick: () => addToCart(product) }, "Add to cart")))));
  return {
    title: "Lantern & Tide",
    nodes: [
      el("div", { class: "intro" }, el("h1", {}, "Things for the evening shore"), el("p", {}, "A small shop that does not exist, with events that do.")),
      banner, el("ul", { class: "products" }, ...products), letter(),
    ],
  };
}

/** Signing up for the shop's letter: who somebody is, without anything bought. */
function letter() {
  const done = el("p", { role: "status" });
  const signUp = (event) => {
    event.preventDefault();
    done.textContent = "Thank you. No letter will come: this shop does not exist.";
    window.tidegate("identify", CUSTOMER, { email: new FormData(event.target).get("email") });
    tell(["sign_up", { method: "newsletter" }]);
  };
  return el("form", { class: "card letter", onsubmit: signUp },
    el("label", {}, el("span", {}, "A letter when the lamps are lit?"), el("input", { name: "email", type: "email", value: BUYER.email, required: "", autocomplete: "off" })),
    el("button", {}, "Sign up"), done);
}

function detail(id) {
  const product = PRODUCTS.find((one) => one.id === id);
  if (!product) return missing();
  return {
    title: `${product.name} · Lantern & Tide`,
    nodes: [
      el("a", { class: "back", href: "/", "data-go": "" }, "← All products"),
      el("div", { class: "detail" }, el("div", { class: "art" }, art(product)),
        el("div", {}, el("h1", {}, product.name), el("p", { class: "price" }, money.format(product.price)), el("p", {}, product.about),
          el("button", { type: "button", class: "wide", onclick: () => addToCart(product) }, "Add to cart"))),
    ],
    events: [["view_item", { value: product.price, currency: CURRENCY, items: [item(product, 1)] }]],
  };
}

function cartTable() {
  const rows = lines().map(({ product, quantity }) => el("tr", {},
    el("th", { scope: "row" }, product.name),
    el("td", {}, el("button", { class: "quiet", type: "button", "aria-label": `One ${product.name} less`, onclick: () => { setQuantity(product.id, quantity - 1); show(); } }, "−"),
      ` ${quantity} `,
      el("button", { class: "quiet", type: "button", "aria-label": `One ${product.name} more`, onclick: () => { setQuantity(product.id, quantity + 1); show(); } }, "+")),
    el("td", {}, money.format(product.price * quantity))));
  return el("table", { class: "lines" }, el("tbody", {}, ...rows),
    el("tfoot", {}, el("tr", {}, el("th", { scope: "row" }, "Total"), el("td", {}), el("td", {}, money.format(total())))));
}

function basket() {
  const filled = lines().length > 0;
  return {
    title: "Cart · Lantern & Tide",
    nodes: [el("div", { class: "card" }, el("h1", {}, "Your cart"),
      filled ? cartTable() : el("p", {}, "It is empty. ", el("a", { href: "/", "data-go": "" }, "Look around"), "."),
      filled ? el("a", { class: "button wide buy", href: "/checkout", "data-go": "" }, "To the checkout") : null)],
    events: filled ? [["view_cart", worth()]] : [],
  };
}

const worth = () => ({ value: total(), currency: CURRENCY, items: lines().map((line) => item(line.product, line.quantity)) });

function checkout() {
  if (!lines().length) return basket();
  const field = (name, label, type, autocomplete, full) => el("label", { class: full ? "full" : null }, label,
    el("input", { name, type, value: BUYER[name], required: "", autocomplete }));
  const form = el("form", { class: "card", onsubmit: buy }, el("h1", {}, "Checkout"),
    el("div", { class: "fields" }, field("first_name", "First name", "text", "off"), field("last_name", "Last name", "text", "off"),
      field("email", "E-mail", "email", "off", true), field("phone", "Phone", "tel", "off", true), field("street", "Street", "text", "off", true),
      field("city", "City", "text", "off"), field("postal_code", "Postal code", "text", "off"), field("state", "State", "text", "off"), field("country", "Country", "text", "off")),
    el("button", { class: "buy wide" }, `Buy for ${money.format(total())}`),
    el("p", { class: "note" }, "Nothing is charged and nobody is written to. The details are invented: the dashboard shows which platform gets what of them, and where it gets a digest only."));
  return {
    title: "Checkout · Lantern & Tide",
    nodes: [el("div", { class: "checkout" }, form, el("div", { class: "card" }, el("h2", {}, "Your order"), cartTable()))],
    events: [["begin_checkout", worth()]],
  };
}

function buy(event) {
  event.preventDefault();
  const user = { address: {} };
  for (const [name, value] of new FormData(event.target)) (ADDRESS.includes(name) ? user.address : user)[name] = value;
  const order_id = `LT-${Date.now().toString(36).toUpperCase()}`;
  // Prices include a fifth of tax, as the shop's invented country has it.
  const order = { order_id, ...worth(), tax: Math.round(total() / 6 * 100) / 100, shipping: 0, customer_type: "new" };
  for (const id of [...cart.keys()]) setQuantity(id, 0);
  sessionStorage.setItem("order", JSON.stringify({ ...order, user }));
  window.tidegate("identify", CUSTOMER, user);
  go("/thanks", [["purchase", order]]);
}

/** Takes an order back. In a real shop its backend says so; the gateway does not mind who does. */
function sendBack(button, { user, order_id, value, currency, items }) {
  button.disabled = true;
  button.textContent = "On its way back";
  window.tidegate("identify", CUSTOMER, user);
  tell(["refund", { order_id, value, currency, items }]);
}

function thanks() {
  const order = JSON.parse(sessionStorage.getItem("order") ?? "null");
  const tick = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  tick.setAttribute("viewBox", "0 0 64 64");
  tick.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M32 4a28 28 0 1 1 0 56 28 28 0 0 1 0-56zm-12 29 9 9 17-19");
  path.setAttribute("fill", "none");
  path.setAttribute("stroke", "#22704a");
  path.setAttribute("stroke-width", "4");
  tick.append(path);
  return {
    title: "Thank you · Lantern & Tide",
    nodes: [el("div", { class: "card thanks" }, tick, el("h1", {}, "Thank you"),
      el("p", {}, order ? `Order ${order.order_id}, ${money.format(order.value)}.` : "There is no order."),
      el("p", { class: "note" }, "Now follow the purchase: through the gateway in the dashboard, and to what the platforms got."),
      el("p", { class: "buttons" },
        order ? el("a", { class: "button", id: "way", href: dashboard(), target: "tidegate-dashboard" }, "See its whole way") : null,
        el("a", { class: "button", href: settings.platforms, target: "tidegate-platforms" }, "What the platforms got")),
      el("p", {}, order?.items ? el("button", { class: "quiet", type: "button", onclick: (event) => sendBack(event.target, order) }, "Send it back") : null,
        el("a", { class: "button quiet", href: "/", "data-go": "" }, "Back to the shop")))],
  };
}

const missing = () => ({ title: "Not found · Lantern & Tide", nodes: [el("div", { class: "card" }, el("h1", {}, "There is nothing here"), el("p", {}, el("a", { href: "/", "data-go": "" }, "Back to the shop")))] });

// ---- going from page to page ---------------------------------------------------------------------------------------

function page() {
  const path = location.pathname;
  if (path === "/") return home();
  if (path.startsWith("/p/")) return detail(path.slice(3));
  return { "/cart": basket, "/checkout": checkout, "/thanks": thanks }[path]?.() ?? missing();
}

function show() {
  const { title, nodes, events } = page();
  document.title = title;
  main.replaceChildren(...nodes.filter((node) => node !== null));
  return events ?? [];
}

function go(to, happened = []) {
  history.pushState(null, "", to);
  arrive(happened);
}

/** The page view is told by the tag's script itself. */
function arrive(happened = []) {
  const events = show();
  window.scrollTo(0, 0);
  tell(...events, ...happened);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-go]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(new URL(link.href).pathname);
  main.focus();
});
window.addEventListener("popstate", () => arrive());

const ads = document.getElementById("from-ad");
for (const [name, pair] of Object.entries(ADS)) ads.append(new Option(`of ${name}`, `${pair}&utm_source=${name.toLowerCase()}`));
ads.append(new Option("of all of them at once", `${Object.values(ADS).join("&")}&utm_source=everywhere`));
ads.addEventListener("change", () => { if (ads.value) location.href = `/?${ads.value}&utm_medium=paid&utm_campaign=autumn-light`; });
document.getElementById("to-dashboard").href = dashboard();
document.getElementById("to-platforms").href = settings.platforms;
for (const id of [...cart.keys()]) setQuantity(id, cart.get(id));
showCookies();
arrive();
