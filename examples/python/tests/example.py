"""The least event, context and answer that are whole: what tests start from."""

import dataclasses
import json
from typing import Any

from wit_world.exports.plugin import Consent, Context, Event, EventKind, Purposes, Response

_PURPOSES = Purposes.ANALYTICS | Purposes.AD_STORAGE | Purposes.AD_USER_DATA | Purposes.AD_PERSONALIZATION


def event(**own: Any) -> Event:
    example = Event(
        id="evt_1",
        name="purchase",
        kind=EventKind.TRACK,
        # 2026-01-15T14:32:00Z
        at_ms=1768487520000,
        received_ms=1768487521000,
        anonymous_id=None,
        user_id=None,
        identifiers=[],
        clicks=[],
        cookies=[],
        page=None,
        client=None,
        session=None,
        consent=Consent(_PURPOSES, Purposes(0), False, False),
        value=None,
        currency=None,
        order_id=None,
        items=[],
        properties="{}",
    )
    return dataclasses.replace(example, **own)


def context(**config: Any) -> Context:
    return Context(now_ms=1768487522000, seed=1, attempt=1, test_mode=False, config=json.dumps(config))


def response(status: int, body: Any = "", headers: list[tuple[str, str]] = []) -> Response:
    text = body if isinstance(body, str) else json.dumps(body)
    return Response(endpoint="conversions", status=status, headers=headers, body=text.encode())
