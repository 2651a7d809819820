// What the page calls, and what `init` takes.

/** A name of GA4's e-commerce events, or one of your own. */
export type EventName =
  | "add_payment_info" | "add_shipping_info" | "add_to_cart" | "add_to_wishlist" | "begin_checkout" | "generate_lead"
  | "login" | "purchase" | "refund" | "remove_from_cart" | "search" | "select_item" | "select_promotion" | "sign_up"
  | "view_cart" | "view_item" | "view_item_list" | "view_promotion"
  | (string & {});

export interface Item {
  item_id?: string | number;
  item_name?: string;
  item_brand?: string;
  item_category?: string;
  item_variant?: string | number;
  price?: number;
  quantity?: number;
  [name: string]: unknown;
}

/** Numbers are numbers: the gateway refuses a value that is text. */
export interface Properties {
  value?: number;
  /** ISO 4217, such as `EUR`. */
  currency?: string;
  order_id?: string | number;
  transaction_id?: string | number;
  items?: Item[];
  [name: string]: unknown;
}

export interface Traits {
  email?: string;
  phone?: string;
  first_name?: string;
  last_name?: string;
  date_of_birth?: string;
  gender?: string;
  external_id?: string;
  address?: { street?: string; city?: string; state?: string; postal_code?: string; country?: string };
  [name: string]: unknown;
}

export type Level = "none" | "analytics" | "marketing";
export type Consent = Level | { analytics: boolean; marketing: boolean };

export interface EventOptions {
  /** The event's id, where your backend or a pixel tells of the same event; else one is made. */
  id?: string;
}

/** Calls give the event's id; before the script has loaded (the tag's stub), nothing. */
export interface Tidegate {
  (command: "track", name: EventName, properties?: Properties, options?: EventOptions): string | undefined;
  (command: "page", properties?: Properties, options?: EventOptions): string | undefined;
  (command: "identify", customerId: string | number, traits?: Traits, options?: EventOptions): string | undefined;
  (command: "identify", traits: Traits): string | undefined;
  (command: "consent", consent: Consent): string | undefined;
  (command: "reset"): undefined;
  /** The id of the last event, for a pixel of your own to share. */
  readonly lastEventId?: string;
  /** The script has loaded; the stub has none. */
  readonly loaded?: true;
}

export interface Options {
  /** The site's write key. */
  key: string;
  /** Where events go, such as `https://track.shop.example/v1/events`. */
  endpoint: string;
  /** Automatic page views. */
  page?: boolean;
  /** Page views for navigation without loading. */
  spa?: boolean;
  outbound?: boolean;
  downloads?: boolean;
  forms?: boolean;
  /** The data layer's variable, `dataLayer` if not given; `false` for none. */
  layer?: string | false;
  /** `wait`: nothing is sent before consent is told. */
  consent?: "wait";
  /** The site's other own domains. */
  domains?: string[];
  /** Tell Meta's pixel too, under the same ids. */
  fbq?: boolean;
  /** Tell Google's tag too, under the same ids. */
  gtag?: boolean;
  debug?: boolean;
}

/** Starts the client, once a page. On a server it gives a function that does nothing. */
export function init(options: Options): Tidegate;

declare global {
  interface Window {
    tidegate?: Tidegate;
  }
}
