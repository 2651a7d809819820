declare module 'tidegate:destination/plugin@0.2.0' {
  /**
   * Turns one event into the requests that report it: mostly one, none when there is nothing to say.
   */
  export function transform(event: Event, ctx: Context): Array<Request>;
  /**
   * Says what the answer to a request that carried `count` events means.
   */
  export function classify(response: Response, count: number, ctx: Context): Verdict;
  /**
   * Text that is one JSON value.
   */
  export type Json = string;
  /**
   * What kind of call reported the event.
   * # Variants
   * 
   * ## `"track"`
   * 
   * ## `"page"`
   * 
   * ## `"screen"`
   * 
   * ## `"identify"`
   * 
   * ## `"group"`
   * 
   * ## `"alias"`
   */
  export type EventKind = 'track' | 'page' | 'screen' | 'identify' | 'group' | 'alias';
  /**
   * One fact that identifies a person, in the form the manifest was granted (`plain`, or `sha256` as 64 lower-case
   * hexadecimal digits). A fact that was not granted, or is empty after normalising, is absent.
   */
  export interface Identifier {
    /**
     * `email`, `phone`, `first_name`, `last_name`, `date_of_birth`, `gender`, `street`, `city`, `state`,
     * `postal_code`, `country`, `external_id`, or the name of another trait.
     */
    key: string,
    value: string,
  }
  /**
   * An advertising click that led here.
   */
  export interface ClickId {
    /**
     * The parameter's canonical name: `gclid`, `fbclid`, `ttclid`, `msclkid` and so on.
     */
    kind: string,
    /**
     * The value, byte for byte as the platform issued it.
     */
    value: string,
    /**
     * When the click ID was first seen, in Unix milliseconds.
     */
    seenMs: bigint,
  }
  /**
   * One product in a cart, an order or a list.
   */
  export interface Item {
    id?: string,
    name?: string,
    quantity?: number,
    /**
     * Price of one unit, in the event's currency.
     */
    price?: number,
    brand?: string,
    category?: string,
    variant?: string,
    /**
     * What else was known of the product, as a JSON object.
     */
    properties: Json,
  }
  /**
   * The page (or screen) that the event happened on.
   */
  export interface Page {
    url?: string,
    title?: string,
    referrer?: string,
  }
  /**
   * The visitor's own client; never the backend that reported the event.
   */
  export interface Client {
    ip?: string,
    userAgent?: string,
    /**
     * A BCP 47 tag such as `de-AT`.
     */
    locale?: string,
    /**
     * ISO 3166-1 country, or ISO 3166-2 subdivision: `AT`, `US-CA`.
     */
    region?: string,
  }
  /**
   * The visit that the event belongs to.
   */
  export interface Session {
    id: string,
    /**
     * Which of the visitor's sessions this is, from 1.
     */
    number?: number,
    /**
     * Time with the page in the foreground since the last event, in milliseconds.
     */
    engagementMs?: bigint,
  }
  /**
   * What a visitor can consent to.
   */
  export interface Purposes {
    analytics?: boolean,
    adStorage?: boolean,
    adUserData?: boolean,
    adPersonalization?: boolean,
  }
  export interface Consent {
    granted: Purposes,
    /**
     * Purposes explicitly refused. One that is in neither set was never asked.
     */
    denied: Purposes,
    /**
     * The browser sent `Sec-GPC: 1`.
     */
    gpc: boolean,
    /**
     * The visitor opted out of sale or sharing: platforms are to limit their use of the data.
     */
    limitedDataUse: boolean,
  }
  export interface Event {
    /**
     * Unique, and shared with the platform's own pixel: what de-duplicates.
     */
    id: string,
    /**
     * Canonical name where there is one (`purchase`, `add_to_cart`), else the name as it was sent.
     */
    name: string,
    kind: EventKind,
    /**
     * When it happened, in Unix milliseconds.
     */
    atMs: bigint,
    /**
     * When the gateway took it, in Unix milliseconds.
     */
    receivedMs: bigint,
    anonymousId?: string,
    userId?: string,
    identifiers: Array<Identifier>,
    clicks: Array<ClickId>,
    /**
     * First-party cookies of the platforms, by name: `_fbp`, `_ga`.
     */
    cookies: Array<[string, string]>,
    page?: Page,
    client?: Client,
    session?: Session,
    consent: Consent,
    /**
     * The event's worth, in `currency`.
     */
    value?: number,
    /**
     * ISO 4217, upper-case. Never guessed.
     */
    currency?: string,
    orderId?: string,
    items: Array<Item>,
    /**
     * The granted rest of the event's properties, as a JSON object.
     */
    properties: Json,
  }
  /**
   * Time, chance and configuration as arguments: the same input gives the same bytes.
   */
  export interface Context {
    nowMs: bigint,
    /**
     * A number that is the same whenever the same event is transformed again.
     */
    seed: bigint,
    /**
     * Which attempt this is, from 1. Always 1 for `transform`.
     */
    attempt: number,
    /**
     * The event is a test: use the platform's test facility, or mark the request as a test.
     */
    testMode: boolean,
    /**
     * The plugin's own configuration, a JSON object that fits the manifest's `[config]` schema.
     */
    config: Json,
  }
  /**
   * One HTTP request, to an endpoint that the manifest declares. It can name no host and carries no credential.
   */
  export interface Request {
    /**
     * The endpoint's name in the manifest.
     */
    endpoint: string,
    /**
     * Values for `{parameters}` of the endpoint's path that the configuration does not give.
     */
    path: Array<[string, string]>,
    query: Array<[string, string]>,
    headers: Array<[string, string]>,
    body: Uint8Array,
  }
  /**
   * Why an event gives no request.
   */
  export type Rejection = RejectionSkip | RejectionInvalid;
  /**
   * The event is none of this destination's business: `not a conversion`. Recorded as filtered.
   */
  export interface RejectionSkip {
    tag: 'skip',
    val: string,
  }
  /**
   * The platform would refuse or ignore it: `purchase without currency`. Kept among the dead letters.
   */
  export interface RejectionInvalid {
    tag: 'invalid',
    val: string,
  }
  /**
   * What the platform answered.
   */
  export interface Response {
    /**
     * The endpoint that the request went to, by its name in the manifest.
     */
    endpoint: string,
    status: number,
    headers: Array<[string, string]>,
    /**
     * The body, cut at the gateway's limit.
     */
    body: Uint8Array,
  }
  /**
   * What became of one event of a batch.
   */
  export type Outcome = OutcomeDelivered | OutcomeRetry | OutcomeReject;
  export interface OutcomeDelivered {
    tag: 'delivered',
  }
  /**
   * Try again, after this many milliseconds at the earliest where the platform said so.
   */
  export interface OutcomeRetry {
    tag: 'retry',
    val: bigint | undefined,
  }
  /**
   * The platform will never take it; the reason is for a person to read.
   */
  export interface OutcomeReject {
    tag: 'reject',
    val: string,
  }
  /**
   * What an answer means.
   */
  export type Verdict = VerdictDelivered | VerdictRetry | VerdictReject | VerdictSplit | VerdictCredentials | VerdictEach;
  export interface VerdictDelivered {
    tag: 'delivered',
  }
  /**
   * Try again, after this many milliseconds at the earliest where the platform said so.
   */
  export interface VerdictRetry {
    tag: 'retry',
    val: bigint | undefined,
  }
  /**
   * The platform will never take it; the reason is for a person to read.
   */
  export interface VerdictReject {
    tag: 'reject',
    val: string,
  }
  /**
   * Something in the batch is bad and the answer does not tell what: take it apart, down to single events.
   */
  export interface VerdictSplit {
    tag: 'split',
  }
  /**
   * The credentials or the API version are refused: park the destination and tell its operator why.
   */
  export interface VerdictCredentials {
    tag: 'credentials',
    val: string,
  }
  /**
   * One outcome for each event of the batch, in its order.
   */
  export interface VerdictEach {
    tag: 'each',
    val: Array<Outcome>,
  }
}
