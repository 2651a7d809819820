// The tag's script: takes the place of the stub, and runs what the stub has queued.

import { createClient } from "./client.js";
import { fromTag } from "./options.js";

const NAME = "tidegate";

// Only while the script runs is it known which tag it came from.
const script = document.currentScript;
const stub = window[NAME];

try {
  if (script?.dataset.key && !stub?.loaded) {
    const { tidegate, start } = createClient(fromTag(script));
    tidegate.loaded = true;
    window[NAME] = tidegate;
    start(() => {
      for (const call of stub?.q || []) tidegate(...call);
      // A page that kept the stub calls it still, and the stub looks for its queue here.
      tidegate.q = { push: (call) => tidegate(...call) };
    });
  } else if (!stub?.loaded) console.error("tidegate: the tag needs data-key");
} catch (error) {
  console.error("tidegate:", error);
}
