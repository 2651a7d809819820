// The client: what `tidegate(…)` does. Joins consent, pixels, data layer, pages, clicks and delivery; owns no more than
// the order of things.

import { watchClicks } from "./clicks.js";
import { createConsent, levelOf } from "./consent.js";
import { createCrossing } from "./crossing.js";
import { watchLayer } from "./data_layer.js";
import { createDelivery } from "./delivery.js";
import { createExclusive } from "./exclusive.js";
import { createGoogleConsent } from "./google_consent.js";
import { newId } from "./id.js";
import { createLog } from "./log.js";
import { createMemory, entryOf } from "./memory.js";
import { watchPages } from "./pages.js";
import { split } from "./person.js";
import { createPixels } from "./pixels.js";
import { moved, place } from "./place.js";
import { createStore } from "./store.js";

/** So many ids of this page's events are remembered, so that none of them is sent again. */
const IDS_MAX = 1_000;
/** The gateway's cookie, which scripts may read: the visitor has consented to something before. */
const KNOWN = /tg_consent=v1.[am]/;

/** The function for `options` (complete ones), and `start`, which begins to watch the page. */
export function createClient(options) {
  const { log, guarded } = createLog(options.debug);
  const lost = (number) => log("dropped:", number);
  const pixels = createPixels(options);
  const crossing = createCrossing();
  const waiting = createMemory(lost);
  const ids = new Set();
  const store = createStore(options.key, lost);
  let customer;
  let newest;

  const consent = createConsent(options.wait, { changed: guarded(consentChanged), settled: guarded(admitWaiting) });
  const delivery = createDelivery(options, {
    consent, store, log, lost, exclusive: createExclusive(options.key), answered: crossing.take, brought: crossing.brought,
  });

  // ---- events ------------------------------------------------------------------------------------------------------

  /** Makes an event and sends it on its way; gives its id. `from` says what it came from. */
  function submit(from, name, { id, at, ...fields }) {
    const message_id = String(id || newId());
    const event = { event: name, message_id, timestamp: at || Date.now(), customer_id: customer, page: place(), ...fields };
    const entry = { ...entryOf(event), from };
    tidegate.lastEventId = message_id;
    // Our own gtag call comes back through the data layer.
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
    // The page's default is nobody's word yet: it takes nothing back.
    if (!consent.isDefault(level)) {
      if (level === "none") {
        crossing.forget();
        store.clear();
      } else delivery.consented();
    }
    // An event that is still here takes the consent along; else the gateway must hear of it now, to set or expire cookies.
    if (!newest) return;
    const heard = newest.event.consent || (newest.sent ? undefined : level);
    // Of a refusal that was the default already it has to hear only where there is something to take back.
    if (heard !== level || (newest.byDefault && KNOWN.test(document.cookie))) submit("", "consent_updated", {});
  }

  // ---- what the page may call --------------------------------------------------------------------------------------

  const commands = {
    track(name, properties, { id } = {}) {
      if (name && typeof name === "string") return submit("call", name, { properties, id });
      log("no name:", name);
    },
    page(properties, { id } = {}) {
      pages.saw();
      moved();
      return submit("page", "page_view", { properties, id });
    },
    identify(id, traits, options) {
      if (id && typeof id === "object") return commands.identify(undefined, id, traits);
      if (id) customer = String(id);
      return submit("", "identify", { ...split(traits || {}), id: options?.id });
    },
    consent(said) {
      consent.tell("page", levelOf(said));
      return tidegate.lastEventId;
    },
    reset() {
      customer = tidegate.lastEventId = undefined;
    },
  };

  const tidegate = guarded((command, ...given) => {
    if (Object.keys(commands).includes(command)) return commands[command](...given);
    log("unknown:", command);
  });

  // ---- the page ----------------------------------------------------------------------------------------------------

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
    track: (name, properties, id) => submit("layer", name, { properties, id }),
  });

  const pages = watchPages(options, {
    guarded,
    look,
    hold: () => delivery.hold("page"),
    release: () => delivery.release("page"),
    view: (at) => {
      moved();
      submit("page", "page_view", { at });
    },
  });

  /** `first` is called when consent that was pushed before is known, and before the first page view. */
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
    watchClicks(options, { guarded, told: (name, properties) => submit("click", name, { properties }), crossing: crossing.decorate });
    for (const name of ["load", "click"]) addEventListener(name, look, true);
    addEventListener("pagehide", () => leaving(true));
    document.addEventListener("visibilitychange", () => document.hidden && leaving());
  });

  return { tidegate, start };
}
