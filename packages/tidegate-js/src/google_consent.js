// Google Consent Mode, as `gtag('consent', …)` pushes it: told to our consent as a level.

const denied = (value) => value !== undefined && value !== "granted";

function levelOf({ ad_storage, analytics_storage, ad_user_data }) {
  if (denied(analytics_storage)) return "none";
  if (ad_storage === "granted" && !denied(ad_user_data)) return "marketing";
  return analytics_storage || ad_storage || ad_user_data ? "analytics" : undefined;
}

/** Takes the arguments of a consent push. */
export function createGoogleConsent(consent) {
  const defaults = {};
  const updates = {};
  let regional = false;
  let answered = false;
  return (command, said) => {
    const update = command === "update";
    if (update) Object.assign(updates, said);
    // Which region the visitor is in is not known here: regional defaults are left to the gateway, which knows.
    else if (said.region) regional = true;
    else Object.assign(defaults, said);
    if (said.wait_for_update > 0) consent.postpone(said.wait_for_update);
    // A default that nobody has answered yet is nobody's word: the gateway must not take it for a withdrawal.
    answered ||= update;
    consent.tell(answered ? "google" : "default", levelOf({ ...(regional ? {} : defaults), ...updates }));
    if (update) consent.goOn();
  };
}
