// Who the customer is, for as long as the page lives, and how traits are told.

/** The traits that are identifiers: the gateway knows them in `user`, and nowhere else may they go. */
const IDENTIFIER = /^(email|phone(number)?|firstname|lastname|dateofbirth|birthday|gender|externalid|address|street|city|state|region|postalcode|zip|country(code)?)$/;

/** Traits in two parts: identifiers, and what else the site knows. */
export function split(traits) {
  const user = {};
  const properties = {};
  for (const name in traits) {
    (IDENTIFIER.test(name.toLowerCase().replace(/_/g, "")) ? user : properties)[name] = traits[name];
  }
  return { user, properties };
}
