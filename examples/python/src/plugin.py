"""Kompas Ads, an imaginary platform with the quirks of real ones: the same plugin is beside it in Rust and JavaScript.

Its Conversions API v2 wants Unix seconds, amounts as text in the currency's smallest unit, currencies in lower case and
identifiers as lists of digests. It judges each conversion of a request by itself, in a body with status 200.
"""

import json
from typing import Any, Optional

import answer
from tidegate import (
    cookie,
    identifier,
    invalid,
    json_request,
    known,
    minor_units,
    money,
    money_required,
    properties,
    quantity,
    seconds,
    skip,
)
from wit_world import exports
from wit_world.exports.plugin import Context, Event, EventKind, Item, Request, Response, Verdict

_NAMES = {"purchase": "SALE", "generate_lead": "LEAD", "sign_up": "SIGNUP", "add_to_cart": "BASKET"}


class Plugin(exports.Plugin):
    def transform(self, event: Event, ctx: Context) -> list[Request]:
        kind, label = _named(event, json.loads(ctx.config))
        worth = money_required(event) if kind == "SALE" else money(event)
        email, phone = identifier(event, "email"), identifier(event, "phone")
        click_ref = cookie(event, "_kompas")
        if all(found is None for found in (email, phone, event.user_id, click_ref)):
            raise invalid("nothing that Kompas could find the customer by")
        user = known(
            em=[email] if email is not None else None,
            ph=[phone] if phone is not None else None,
            ref=event.user_id,
            agent=event.client and event.client.user_agent,
        )
        conversion = known(
            dedup_key=event.id,
            type=kind,
            label=label,
            event_time=seconds(event.at_ms),
            amount=worth and minor_units(worth.value, worth.currency),
            currency=worth and worth.currency.lower(),
            order_ref=event.order_id,
            coupon=properties(event).get("coupon"),
            basket=[_product(item, event.currency) for item in event.items if item.id is not None],
            click_ref=click_ref,
            source_url=event.page and event.page.url,
            user=user,
            limited_data_use=event.consent.limited_data_use,
        )
        # A dry run is checked and shown in Kompas Studio, and counts for nothing.
        query = [("dry_run", "1")] if ctx.test_mode else []
        return [json_request("conversions", {"conversions": [conversion]}, query=query)]

    def classify(self, response: Response, count: int, ctx: Context) -> Verdict:
        return answer.verdict(response, count, ctx)


def _named(event: Event, config: dict[str, Any]) -> tuple[str, Optional[str]]:
    """What Kompas calls the event, and what it is labelled with where that says too little."""
    if event.kind is EventKind.TRACK and event.name in _NAMES:
        return _NAMES[event.name], None
    if event.kind is not EventKind.TRACK or config["custom_events"] == "drop":
        raise skip("not a conversion")
    return "CUSTOM", event.name


def _product(item: Item, currency: Optional[str]) -> dict[str, Any]:
    """A product needs its number; a price is in the event's currency, or not said."""
    priced = item.price is not None and currency is not None
    return known(
        sku=item.id,
        name=item.name,
        qty=quantity(item),
        unit_price=minor_units(item.price, currency) if priced else None,
    )
