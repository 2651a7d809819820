// Where the visitor is: the page as events tell of it.

/** A fragment is part of the address only where a router keeps its routes there; elsewhere it may hold a token. */
const ROUTE = /^#[!/]/;

let before = "";
let last = "";

/** The page's address without a fragment that is no route. */
export function address() {
  const { href, hash } = location;
  return ROUTE.test(hash) ? href : href.split("#")[0];
}

/** Notes that a new page is viewed: the one before has become its referrer. */
export function moved() {
  const now = address();
  if (now === last) return;
  before = last;
  last = now;
}

/** The `page` field of an event. */
export function place() {
  return { url: address(), title: document.title, referrer: before || document.referrer };
}
