// What the site chose, from the tag's attributes or from a bundle's `init`. Decides every default.

/** What a page does by itself unless it is switched off. */
const AUTOMATIC = ["page", "spa", "outbound", "downloads", "forms"];
/** What it does only when asked. */
const ASKED = ["debug", "fbq", "gtag"];

/** The options that the tag's attributes give. The gateway is where the script came from, in the same folder. */
export function fromTag(script) {
  const { key, endpoint, layer, consent, domains } = script.dataset;
  const options = {
    key,
    endpoint: new URL(endpoint || new URL("v1/events", script.src), location.href).href,
    layer: layer !== "off" && layer,
    consent,
    domains: domains?.split(","),
  };
  for (const name of AUTOMATIC.concat(ASKED)) {
    const value = script.dataset[name];
    if (value !== undefined) options[name] = value !== "off";
  }
  return complete(options);
}

/** Options with nothing left open. */
export function complete(given) {
  const options = { ...given };
  for (const name of AUTOMATIC) options[name] = given[name] !== false;
  for (const name of ASKED) options[name] = !!given[name];
  options.layer = given.layer !== false && (given.layer || "dataLayer");
  options.wait = given.consent === "wait";
  options.domains = (given.domains || []).map((domain) => domain.trim().toLowerCase()).filter(Boolean);
  return options;
}
