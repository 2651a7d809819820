// Sends the shop's three events with @segment/analytics-node, as a shop's backend would.
//
// node segment_shop.mjs HOST WRITE_KEY CONSENT
//
// CONSENT is the JSON of `context.consent`. Prints a line of JSON for every answer and every error; ends with 0 when
// all is flushed.

import { readFileSync } from 'node:fs'
import { Analytics } from '@segment/analytics-node'

const [host, writeKey, consent] = process.argv.slice(2)
const shop = JSON.parse(readFileSync(new URL('shop.json', import.meta.url)))
const say = (line) => console.log(JSON.stringify(line))

const analytics = new Analytics({ host, writeKey })
analytics.on('http_response', ({ status }) => say({ status }))
analytics.on('error', ({ code, reason }) => say({ error: reason?.message ?? String(reason), code }))

const { userId, anonymousId, traits, page, purchase } = shop
const context = { ...shop.context, page, consent: JSON.parse(consent) }
analytics.identify({ userId, anonymousId, traits, context })
analytics.page({ userId, anonymousId, name: 'Thanks', properties: page, context })
analytics.track({ userId, anonymousId, event: 'Order Completed', properties: purchase, context })
await analytics.closeAndFlush({ timeout: 25_000 })
