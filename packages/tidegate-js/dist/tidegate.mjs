// src/clicks.js
var FILES = /\.(pdf|xlsx?|docx?|pptx?|pps|key|txt|rtf|csv|exe|pkg|dmg|apk|zip|7z|rar|gz|avi|mov|mp4|mpe?g|wmv|midi?|mp3|wav|wma)$/i;
var bare = (host) => host.replace(/^www\./, "");
var within = (host, domain) => ("." + bare(host)).endsWith("." + bare(domain));
var isOwn = (host) => within(host, location.hostname) || within(location.hostname, host);
function linkOf(event) {
  const link = event.composedPath().find((node) => node.matches?.("a[href],area[href]"));
  return link && /^https?:$/.test(link.protocol) ? link : void 0;
}
function watchClicks(options, { guarded, told, crossing }) {
  const clicked = guarded((event) => {
    const link = linkOf(event);
    if (!link || event.type === "auxclick" && event.button !== 1) return;
    const { hostname, pathname } = link;
    const link_url = link.href.split("#")[0];
    const other = !isOwn(hostname) && options.domains.some((domain) => within(hostname, domain));
    if (other) crossing(link);
    if (FILES.test(pathname) || link.hasAttribute("download")) {
      const file_name = pathname.split("/").pop();
      if (options.downloads) told("file_download", { link_url, file_name, file_extension: FILES.exec(pathname)?.[1] });
    } else if (options.outbound && !other && !isOwn(hostname)) {
      told("click", { link_url, link_domain: hostname, outbound: true });
    }
  });
  const submitted = guarded(({ target: form }) => {
    const [form_id, form_name, action] = ["id", "name", "action"].map((name) => form.getAttribute(name) || void 0);
    const form_destination = new URL(action || "", location.href).href.split(/[?#]/)[0];
    told("form_submit", { form_id, form_name, form_destination });
  });
  addEventListener("click", clicked, true);
  addEventListener("auxclick", clicked, true);
  if (options.forms) addEventListener("submit", submitted, true);
}

// src/consent.js
var LEVELS = ["none", "analytics", "marketing"];
function lower(one, other) {
  if (!one || !other) return one || other;
  return LEVELS.indexOf(one) < LEVELS.indexOf(other) ? one : other;
}
var mayStore = (level) => LEVELS.indexOf(level) > 0;
function levelOf(said) {
  if (said && typeof said === "object") {
    if (said.analytics === false) return "none";
    return said.marketing === true ? "marketing" : said.analytics === true ? "analytics" : "none";
  }
  return LEVELS.includes(said) ? said : "none";
}
function createConsent(wait, { changed, settled }) {
  const told = {};
  let postponed = 0;
  const least = (said) => Object.values(said).reduce(lower, void 0);
  const level = () => least(told);
  const isDefault = (of) => told.default === of && least({ ...told, default: void 0 }) !== of;
  const isSettled = () => !postponed && !(wait && !level());
  function goOn() {
    clearTimeout(postponed);
    postponed = 0;
    if (isSettled()) settled();
  }
  return {
    level,
    isSettled,
    /** Whether a level is only what the page lets hold until its visitor answers. */
    isDefault,
    /** Takes what one source says; nothing takes back what it said before. Google's answer replaces its default. */
    tell(source, said) {
      const before2 = level();
      const was = isDefault(before2);
      told[source] = said;
      if (source === "google") told.default = void 0;
      if (level() !== before2 || was !== isDefault(before2)) changed(level());
      if (isSettled()) settled();
    },
    /** A default was told, and an answer is expected soon. */
    postpone(ms) {
      postponed ||= setTimeout(goOn, Math.min(ms, 1e4));
    },
    /** The answer came, or the page goes away: what was told is what counts. */
    goOn
  };
}

// src/crossing.js
var PARAMETER = "_tgl";
var LIFE_MS = 1e5;
function createCrossing() {
  let token;
  let until = 0;
  let arrived;
  return {
    arrive() {
      const url = new URL(location.href);
      arrived = url.searchParams.get(PARAMETER) || void 0;
      if (!arrived) return;
      url.searchParams.delete(PARAMETER);
      history.replaceState(history.state, "", url);
    },
    brought: () => arrived,
    take({ link }) {
      if (!link) return;
      token = link;
      until = Date.now() + LIFE_MS;
    },
    decorate(link) {
      if (Date.now() > until) return;
      const url = new URL(link.href);
      url.searchParams.set(PARAMETER, token);
      const before2 = link.getAttribute("href");
      link.href = url.href;
      setTimeout(() => link.href === url.href && link.setAttribute("href", before2));
    },
    forget: () => until = 0
  };
}

// src/names.js
var FROM_LAYER = "add_payment_info add_shipping_info add_to_cart add_to_wishlist begin_checkout generate_lead login purchase refund remove_from_cart search select_item select_promotion sign_up view_cart view_item view_item_list view_promotion".split(
  " "
);
var META = {
  Purchase: "purchase order_completed purchase_completed",
  PageView: "page_view page_viewed",
  ViewContent: "view_item product_viewed view_item_list product_list_viewed",
  AddToCart: "add_to_cart product_added",
  InitiateCheckout: "begin_checkout checkout_started",
  AddPaymentInfo: "add_payment_info payment_info_entered",
  Lead: "generate_lead lead_generated",
  CompleteRegistration: "sign_up signed_up",
  Search: "search products_searched",
  AddToWishlist: "add_to_wishlist product_added_to_wishlist"
};
function metaName(name) {
  const folded = name.trim().toLowerCase().replace(/[ -]/g, "_");
  return Object.keys(META).find((meta) => META[meta].split(" ").includes(folded));
}

// src/data_layer.js
var TAKEN = "affiliation coupon currency discount item_list_id item_list_name items method payment_type promotion_id promotion_name search_term shipping shipping_tier tax transaction_id value".split(
  " "
);
var NUMBERS = "value tax shipping discount price quantity".split(" ");
function withNumbers(from) {
  const copy = { ...from };
  for (const name of NUMBERS) {
    const value = copy[name];
    if (typeof value === "string" && value.trim() && isFinite(value)) copy[name] = +value;
  }
  return copy;
}
function properties(from) {
  const taken = withNumbers(from);
  if (Array.isArray(taken.items)) taken.items = taken.items.map(withNumbers);
  return taken;
}
var picked = (from) => Object.fromEntries(TAKEN.filter((name) => from[name] !== void 0).map((name) => [name, from[name]]));
function watchLayer(name, { guarded, consent, track }) {
  const orders = /* @__PURE__ */ new Set();
  let hooked;
  function event(named, parameters, id) {
    if (!FROM_LAYER.includes(named)) return;
    const { transaction_id } = parameters;
    const order = named + transaction_id;
    if (transaction_id && orders.has(order)) return;
    orders.add(order);
    track(named, properties(parameters), id);
  }
  const take = guarded((entry) => {
    if (!entry || typeof entry !== "object") return;
    const [command, first, second] = entry.length === void 0 ? [] : entry;
    if (command === "consent" && (first === "default" || first === "update")) consent(first, second || {});
    else if (command === "event") event(first, picked(second || {}), second?.event_id);
    else if (typeof entry.event === "string") event(entry.event, entry.ecommerce || picked(entry), entry.event_id);
  });
  return function look() {
    const layer = name && window[name];
    if (!layer || layer === hooked || typeof layer.push !== "function") return;
    hooked = layer;
    const push = layer.push;
    const earlier = Array.from(layer);
    layer.push = function(...entries) {
      const result = push.apply(this, entries);
      entries.forEach(take);
      return result;
    };
    earlier.forEach(take);
  };
}

// src/memory.js
var EVENTS_MAX = 100;
var BYTES_MAX = 256e3;
var REQUEST_BYTES_MAX = 6e4;
var REQUEST_EVENTS_MAX = 20;
var ADDED_BYTES = 64;
function entryOf(event) {
  const text = JSON.stringify(event);
  return { event: JSON.parse(text), bytes: new TextEncoder().encode(text).length + ADDED_BYTES };
}
var surplus = (entries) => entries.length - fitting(entries.slice().reverse(), EVENTS_MAX, BYTES_MAX);
var request = (entries) => fitting(entries, REQUEST_EVENTS_MAX, REQUEST_BYTES_MAX);
function fitting(entries, count, bytes) {
  let fits = 0;
  while (fits < Math.min(entries.length, count) && (bytes -= entries[fits].bytes) >= 0) fits++;
  return fits;
}
function createMemory(lost) {
  let entries = [];
  let dropped = 0;
  function set(list) {
    entries = list.slice(surplus(list));
    if (entries.length < list.length) lost(dropped += list.length - entries.length);
  }
  return {
    /** Adds an entry, unless no request could carry it. */
    push(entry) {
      if (entry.bytes > REQUEST_BYTES_MAX) lost(++dropped);
      else set(entries.concat(entry));
    },
    /** Takes what fits into one request. */
    take: () => entries.splice(0, request(entries)),
    all: () => entries.splice(0),
    /** Puts back what was taken. */
    back: (taken) => set(taken.concat(entries)),
    isEmpty: () => !entries.length
  };
}

// src/post.js
var TIMEOUT_MS = 3e4;
function retryAfterMs(headers) {
  const after = headers.get("retry-after");
  if (!after) return 0;
  const ms = isFinite(after) ? after * 1e3 : Date.parse(after) - Date.now();
  return Math.min(Math.max(ms, 0) || 0, 36e5);
}
async function post(endpoint, body) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
  try {
    const answer = await fetch(endpoint, { method: "POST", credentials: "include", keepalive: true, body, signal: abort.signal });
    const { status, headers } = answer;
    const reply = await answer.json().catch(() => void 0);
    const again = status === 408 || status === 429 || status >= 500 || answer.ok && !reply?.success;
    return { status, reply, again, afterMs: retryAfterMs(headers) };
  } catch (error) {
    return { status: 0, reply: String(error), again: true, afterMs: 0 };
  } finally {
    clearTimeout(timer);
  }
}
var beacon = (endpoint, body) => navigator.sendBeacon?.(endpoint, body);

// src/delivery.js
var BATCH_MS = 50;
var BACKOFF_MS = 1e3;
var BACKOFF_MAX_MS = 3e5;
var OTHER_TAB_MS = 5e3;
var whenIdle = (work) => window.requestIdleCallback ? requestIdleCallback(work, { timeout: 200 }) : setTimeout(work);
function createDelivery({ endpoint, key, domains }, { consent, store, exclusive, log, lost, answered, brought }) {
  const memory = createMemory(lost);
  const held = /* @__PURE__ */ new Set();
  let timer = 0;
  let busy = false;
  let failures = 0;
  let notBefore = 0;
  let asked = false;
  const offline = () => navigator.onLine === false;
  const resting = () => Date.now() < notBefore;
  const consentOf = ({ event }) => lower(event.consent, consent.level());
  function bodyOf(entries) {
    const events = entries.map((entry) => {
      const level = entry.event.consent = consentOf(entry);
      entry.sent = true;
      entry.byDefault = consent.isDefault(level);
      return { ...entry.event, consent: entry.byDefault ? { default: level } : level, sent_at: Date.now() };
    });
    log("sent", events);
    return JSON.stringify({ writeKey: key, link: domains.length ? true : void 0, arrived: brought(), events });
  }
  function keep(entries) {
    memory.back(entries.filter((entry) => !mayStore(consentOf(entry)) || !store.add(entry)));
  }
  function schedule(ms = BATCH_MS) {
    clearTimeout(timer);
    timer = held.size ? 0 : setTimeout(() => whenIdle(run), Math.max(ms, notBefore - Date.now()));
  }
  async function sent(entries) {
    const { again, afterMs, status, reply } = await post(endpoint, bodyOf(entries));
    log("answered", status, reply);
    if (!again) {
      failures = notBefore = 0;
      if (reply?.success) answered(reply);
      return true;
    }
    const backoff = Math.min(BACKOFF_MS * 2 ** failures++, BACKOFF_MAX_MS) * (0.5 + Math.random() / 2);
    asked = afterMs > 0;
    notBefore = Date.now() + Math.max(afterMs, backoff);
    log("again in ms", notBefore - Date.now());
    return false;
  }
  const handOver = async (entries) => {
    if (await sent(entries)) return;
    keep(entries);
    schedule();
  };
  async function sendMemory() {
    while (!held.size && !memory.isEmpty()) {
      const entries = offline() ? [] : memory.take();
      if (!entries.length || !await sent(entries)) {
        keep(entries.concat(memory.all()));
        return false;
      }
    }
    return true;
  }
  const mayLeave = (entry) => consentOf(entry) === entry.event.consent || !consent.isDefault(consentOf(entry));
  async function sendStored() {
    for (let entries; (entries = store.read().filter(mayLeave)).length; ) {
      entries = entries.slice(0, request(entries));
      if (!entries.length || !await sent(entries)) return false;
      store.remove(entries);
    }
    return true;
  }
  async function run() {
    if (busy || held.size || !consent.isSettled()) return;
    if (resting()) return schedule();
    busy = true;
    try {
      if (await sendMemory() && store.read().length && await exclusive(sendStored) == null) schedule(OTHER_TAB_MS);
    } catch (error) {
      log("failed", error);
    }
    busy = false;
    if (resting() || !memory.isEmpty() && !offline()) schedule();
  }
  addEventListener("online", () => {
    if (!asked) notBefore = 0;
    schedule();
  });
  schedule();
  return {
    push(entry) {
      memory.push(entry);
      if (!busy) schedule();
    },
    /** Keeps everything until it is released; what holds has a name. */
    hold: (why) => {
      held.add(why);
      clearTimeout(timer);
    },
    release(why) {
      if (held.delete(why)) schedule();
    },
    /** The page is hidden, or (`gone`) left: this may be the last moment. What only hides waits for the answer. */
    leave(gone) {
      const refused = [];
      const poor = offline() || resting();
      if (poor) keep(memory.all());
      if (!poor || gone) {
        for (let entries; (entries = memory.take()).length; ) {
          if (!gone) handOver(entries);
          else if (!beacon(endpoint, bodyOf(entries))) refused.push(...entries);
        }
      }
      keep(refused);
      if (!memory.isEmpty()) schedule();
    },
    /** Consent was told: what is stored may leave. */
    consented: schedule
  };
}

// src/exclusive.js
function createExclusive(key) {
  const { locks } = navigator;
  return (work) => locks ? locks.request("tidegate." + key, { ifAvailable: true }, (lock) => lock && work()) : work();
}

// src/google_consent.js
var denied = (value) => value !== void 0 && value !== "granted";
function levelOf2({ ad_storage, analytics_storage, ad_user_data }) {
  if (denied(analytics_storage)) return "none";
  if (ad_storage === "granted" && !denied(ad_user_data)) return "marketing";
  return analytics_storage || ad_storage || ad_user_data ? "analytics" : void 0;
}
function createGoogleConsent(consent) {
  const defaults = {};
  const updates = {};
  let regional = false;
  let answered = false;
  return (command, said) => {
    const update = command === "update";
    if (update) Object.assign(updates, said);
    else if (said.region) regional = true;
    else Object.assign(defaults, said);
    if (said.wait_for_update > 0) consent.postpone(said.wait_for_update);
    answered ||= update;
    consent.tell(answered ? "google" : "default", levelOf2({ ...regional ? {} : defaults, ...updates }));
    if (update) consent.goOn();
  };
}

// src/id.js
function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return "10000000-1000-4000-8000-100000000000".replace(
    /[018]/g,
    (digit) => (digit ^ crypto.getRandomValues(new Uint8Array(1))[0] & 15 >> digit / 4).toString(16)
  );
}

// src/log.js
function createLog(debug) {
  const log = (...what) => debug && console.log("tidegate:", ...what);
  const guarded = (work) => (...given) => {
    try {
      return work(...given);
    } catch (error) {
      log("failed", error);
    }
  };
  return { log, guarded };
}

// src/place.js
var ROUTE = /^#[!/]/;
var before = "";
var last = "";
function address() {
  const { href, hash } = location;
  return ROUTE.test(hash) ? href : href.split("#")[0];
}
function moved() {
  const now = address();
  if (now === last) return;
  before = last;
  last = now;
}
function place() {
  return { url: address(), title: document.title, referrer: before || document.referrer };
}

// src/pages.js
var ROUTER_MS = 100;
function watchPages({ page, spa }, { guarded, look, view, hold, release }) {
  let viewed;
  let since = 0;
  let timer = 0;
  const emit = guarded(() => {
    clearTimeout(timer);
    if (since) {
      const at = since;
      since = 0;
      look();
      if (address() !== viewed) {
        viewed = address();
        view(at);
      }
    }
    release();
  });
  const navigated = guarded(() => {
    if (address() === viewed) return;
    since ||= Date.now();
    hold();
    clearTimeout(timer);
    timer = setTimeout(emit, ROUTER_MS);
  });
  function watchRouter() {
    for (const name of ["pushState", "replaceState"]) {
      const original = history[name];
      history[name] = function(...given) {
        const result = original.apply(this, given);
        navigated();
        return result;
      };
    }
    addEventListener("popstate", navigated);
  }
  return {
    /** The first page view, as soon as the page knows its title. */
    begin() {
      if (!page) return;
      since = Date.now();
      hold();
      addEventListener("DOMContentLoaded", emit);
      if (document.readyState !== "loading") setTimeout(emit);
      addEventListener("pageshow", (event) => {
        if (!event.persisted) return;
        viewed = void 0;
        since = Date.now();
        emit();
      });
      if (spa) watchRouter();
    },
    /** What is under way becomes a page view now. */
    emit,
    /** The page told of this view itself. */
    saw: () => viewed = address()
  };
}

// src/person.js
var IDENTIFIER = /^(email|phone(number)?|firstname|lastname|dateofbirth|birthday|gender|externalid|address|street|city|state|region|postalcode|zip|country(code)?)$/;
function split(traits) {
  const user = {};
  const properties2 = {};
  for (const name in traits) {
    (IDENTIFIER.test(name.toLowerCase().replace(/_/g, "")) ? user : properties2)[name] = traits[name];
  }
  return { user, properties: properties2 };
}

// src/pixels.js
function metaParameters({ properties: properties2 = {} }) {
  const { value, revenue, total, order_value, currency, items, products, order_id, transaction_id, search_term } = properties2;
  const parameters = { value: value ?? revenue ?? total ?? order_value, currency };
  const list = items || products;
  if (Array.isArray(list)) {
    parameters.contents = list.map((item) => ({
      id: item.product_id ?? item.item_id ?? item.id ?? item.sku,
      quantity: item.quantity ?? 1,
      item_price: item.price
    }));
    parameters.content_ids = parameters.contents.map(({ id }) => id);
    parameters.content_type = "product";
  }
  return Object.assign(parameters, { order_id: order_id ?? transaction_id, search_string: search_term });
}
function createPixels(options) {
  return (event, from) => {
    const { consent, event: name, message_id: id, properties: properties2 = {} } = event;
    if (options.fbq && window.fbq && consent === "marketing" && !navigator.globalPrivacyControl && from !== "click") {
      const meta = metaName(name);
      window.fbq(meta ? "track" : "trackCustom", meta || name, metaParameters(event), { eventID: id });
    }
    if (options.gtag && window.gtag && mayStore(consent) && from === "call") {
      const transaction_id = properties2.transaction_id ?? properties2.order_id ?? id;
      window.gtag("event", name, { ...properties2, event_id: id, transaction_id });
    }
  };
}

// src/store.js
function createStore(key, lost) {
  const prefix = `tidegate.${key}.`;
  const names = () => Object.keys(localStorage).filter((name) => name.startsWith(prefix)).sort();
  const remove = (name) => localStorage.removeItem(name);
  let dropped = 0;
  function read() {
    const entries = [];
    for (const name of names()) {
      try {
        entries.push({ name, ...entryOf(JSON.parse(localStorage.getItem(name))) });
      } catch {
        remove(name);
      }
    }
    return entries;
  }
  const tried = (work, otherwise) => (given) => {
    try {
      return work(given);
    } catch {
      return otherwise;
    }
  };
  return {
    /** Whether the entry is kept. */
    add: tried(({ event }) => {
      localStorage.setItem(prefix + event.timestamp + "." + event.message_id, JSON.stringify(event));
      const entries = read();
      const more = surplus(entries);
      entries.slice(0, more).forEach(({ name }) => remove(name));
      if (more) lost(dropped += more);
      return true;
    }, false),
    read: tried(read, []),
    remove: tried((entries) => entries.forEach(({ name }) => remove(name))),
    clear: tried(() => names().forEach(remove))
  };
}

// src/client.js
var IDS_MAX = 1e3;
var KNOWN = /tg_consent=v1.[am]/;
function createClient(options) {
  const { log, guarded } = createLog(options.debug);
  const lost = (number) => log("dropped:", number);
  const pixels = createPixels(options);
  const crossing = createCrossing();
  const waiting = createMemory(lost);
  const ids = /* @__PURE__ */ new Set();
  const store = createStore(options.key, lost);
  let customer;
  let newest;
  const consent = createConsent(options.wait, { changed: guarded(consentChanged), settled: guarded(admitWaiting) });
  const delivery = createDelivery(options, {
    consent,
    store,
    log,
    lost,
    exclusive: createExclusive(options.key),
    answered: crossing.take,
    brought: crossing.brought
  });
  function submit(from, name, { id, at, ...fields }) {
    const message_id = String(id || newId());
    const event = { event: name, message_id, timestamp: at || Date.now(), customer_id: customer, page: place(), ...fields };
    const entry = { ...entryOf(event), from };
    tidegate.lastEventId = message_id;
    if (ids.has(message_id)) return message_id;
    if (ids.size > IDS_MAX) ids.clear();
    ids.add(message_id);
    if (consent.isSettled()) admit(entry);
    else waiting.push(entry);
    return message_id;
  }
  function admit(entry) {
    entry.event.consent = consent.level();
    newest = entry;
    delivery.push(entry);
    if (entry.from) guarded(pixels)(entry.event, entry.from);
  }
  function admitWaiting() {
    for (let entries; (entries = waiting.take()).length; ) entries.forEach(admit);
  }
  function consentChanged(level) {
    log("consent", level);
    if (!consent.isDefault(level)) {
      if (level === "none") {
        crossing.forget();
        store.clear();
      } else delivery.consented();
    }
    if (!newest) return;
    const heard = newest.event.consent || (newest.sent ? void 0 : level);
    if (heard !== level || newest.byDefault && KNOWN.test(document.cookie)) submit("", "consent_updated", {});
  }
  const commands = {
    track(name, properties2, { id } = {}) {
      if (name && typeof name === "string") return submit("call", name, { properties: properties2, id });
      log("no name:", name);
    },
    page(properties2, { id } = {}) {
      pages.saw();
      moved();
      return submit("page", "page_view", { properties: properties2, id });
    },
    identify(id, traits, options2) {
      if (id && typeof id === "object") return commands.identify(void 0, id, traits);
      if (id) customer = String(id);
      return submit("", "identify", { ...split(traits || {}), id: options2?.id });
    },
    consent(said) {
      consent.tell("page", levelOf(said));
      return tidegate.lastEventId;
    },
    reset() {
      customer = tidegate.lastEventId = void 0;
    }
  };
  const tidegate = guarded((command, ...given) => {
    if (Object.keys(commands).includes(command)) return commands[command](...given);
    log("unknown:", command);
  });
  const leaving = guarded((gone) => {
    if (document.prerendering) return;
    look();
    pages.emit();
    if (gone) consent.goOn();
    delivery.leave(gone);
  });
  const look = watchLayer(options.layer, {
    guarded,
    consent: createGoogleConsent(consent),
    track: (name, properties2, id) => submit("layer", name, { properties: properties2, id })
  });
  const pages = watchPages(options, {
    guarded,
    look,
    hold: () => delivery.hold("page"),
    release: () => delivery.release("page"),
    view: (at) => {
      moved();
      submit("page", "page_view", { at });
    }
  });
  const start = guarded((first) => {
    crossing.arrive();
    look();
    first();
    if (document.prerendering) {
      delivery.hold("prerendering");
      document.addEventListener("prerenderingchange", () => {
        pages.begin();
        delivery.release("prerendering");
      });
    } else pages.begin();
    watchClicks(options, { guarded, told: (name, properties2) => submit("click", name, { properties: properties2 }), crossing: crossing.decorate });
    for (const name of ["load", "click"]) addEventListener(name, look, true);
    addEventListener("pagehide", () => leaving(true));
    document.addEventListener("visibilitychange", () => document.hidden && leaving());
  });
  return { tidegate, start };
}

// src/options.js
var AUTOMATIC = ["page", "spa", "outbound", "downloads", "forms"];
var ASKED = ["debug", "fbq", "gtag"];
function complete(given) {
  const options = { ...given };
  for (const name of AUTOMATIC) options[name] = given[name] !== false;
  for (const name of ASKED) options[name] = !!given[name];
  options.layer = given.layer !== false && (given.layer || "dataLayer");
  options.wait = given.consent === "wait";
  options.domains = (given.domains || []).map((domain) => domain.trim().toLowerCase()).filter(Boolean);
  return options;
}

// src/index.js
function init(options) {
  if (typeof document === "undefined") return () => void 0;
  const { tidegate, start } = createClient(complete(options));
  tidegate.loaded = true;
  start(() => void 0);
  return tidegate;
}
export {
  init
};
