// The package's entry for bundlers: the same client, without a tag.

import { createClient } from "./client.js";
import { complete } from "./options.js";

/** Starts the client and gives its function. On a server, where there is no page, the function does nothing. */
export function init(options) {
  if (typeof document === "undefined") return () => undefined;
  const { tidegate, start } = createClient(complete(options));
  tidegate.loaded = true;
  start(() => undefined);
  return tidegate;
}
