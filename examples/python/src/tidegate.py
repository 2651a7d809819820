"""What most platforms want, so that no plugin writes it again: money, times, and what an answer means.

The rules are those of the Rust SDK, to the last digit. There is no clock and no chance in here.
"""

import json
import math
import re
import sys
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from componentize_py_types import Err
from wit_world.exports.plugin import (
    ClickId,
    Context,
    Event,
    Item,
    Rejection_Invalid,
    Rejection_Skip,
    Request,
    Response,
    Verdict,
    Verdict_Credentials,
    Verdict_Delivered,
    Verdict_Reject,
    Verdict_Retry,
    Verdict_Split,
)

Pairs = list[tuple[str, str]]


def skip(reason: str) -> Err[Rejection_Skip]:
    """The event is none of this destination's business: `raise skip("not a conversion")`."""
    return Err(Rejection_Skip(reason))


def invalid(reason: str) -> Err[Rejection_Invalid]:
    """The platform would refuse or ignore it: `raise invalid("purchase without currency")`."""
    return Err(Rejection_Invalid(reason))


def json_request(
    endpoint: str, body: Any, *, path: Pairs = [], query: Pairs = [], headers: Pairs = []
) -> Request:
    """A request with a JSON body, to an endpoint of the manifest. A whole number is written whole: `3`, not `3.0`."""
    text = json.dumps(_whole(body), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    headers = [("content-type", "application/json"), *headers]
    return Request(endpoint, list(path), list(query), headers, text.encode())


def known(**fields: Any) -> dict[str, Any]:
    """The fields that have a value: none of them is `None` or an empty list."""
    return {name: value for name, value in fields.items() if value is not None and value != []}


def identifier(event: Event, key: str) -> Optional[str]:
    """What the event says of a person, if it was granted: `identifier(event, "email")`."""
    return next((found.value for found in event.identifiers if found.key == key), None)


def click(event: Event, kind: str) -> Optional[ClickId]:
    """The advertising click that led here, if it was granted."""
    return next((found for found in event.clicks if found.kind == kind), None)


def cookie(event: Event, name: str) -> Optional[str]:
    """A first-party cookie of a platform, if it was granted: `cookie(event, "_fbp")`."""
    return next((value for found, value in event.cookies if found == name), None)


def properties(event: Event) -> dict[str, Any]:
    """The granted rest of the event's properties."""
    return json.loads(event.properties)


def quantity(item: Item) -> float:
    """How many pieces of a product: one, where nothing sensible is said."""
    pieces = item.quantity
    return pieces if pieces is not None and math.isfinite(pieces) and pieces >= 0 else 1.0


def seconds(ms: int) -> int:
    """Whole Unix seconds."""
    return ms // 1000


def iso8601(ms: int) -> str:
    """RFC 3339 in UTC with milliseconds: `2026-01-15T14:32:00.000Z`."""
    return datetime.fromtimestamp(ms // 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03}Z"


class Money(NamedTuple):
    """An amount and its currency."""

    value: float
    currency: str


def money(event: Event) -> Optional[Money]:
    """What the event is worth, when it says both a value and its currency."""
    if event.value is None or event.currency is None:
        return None
    return Money(event.value, event.currency)


def money_required(event: Event) -> Money:
    """What the event is worth, where the platform insists on it; raises what is missing. A currency is never guessed."""
    found = money(event)
    if found is None:
        given = {"value": event.value, "currency": event.currency}
        missing = " and ".join(name for name, value in given.items() if value is None)
        raise invalid(f"{event.name} without {missing}")
    return found


_DECIMALS_NONE = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split())
_DECIMALS_THREE = frozenset("BHD IQD JOD KWD LYD OMR TND".split())


def decimals(currency: str) -> int:
    """The decimals of a currency, by ISO 4217; two where it is not known."""
    return 0 if currency in _DECIMALS_NONE else 3 if currency in _DECIMALS_THREE else 2


def round_money(value: float, currency: str) -> float:
    """An amount rounded to the decimals that its currency has: `0.1 + 0.2` euros are `0.3`."""
    factor = 10.0 ** decimals(currency)
    # Past 2^53 every value is whole already, and scaling would only lose digits.
    return _half_away_from_zero(value * factor) / factor if abs(value * factor) < 9e15 else value


def minor_units(value: float, currency: str) -> str:
    """An amount in the currency's smallest unit, as text: `14999` for 149.99 euros, `1999` for 1999 yen."""
    largest = sys.float_info.max
    return str(int(min(max(_half_away_from_zero(value * 10.0 ** decimals(currency)), -largest), largest)))


def _half_away_from_zero(value: float) -> float:
    # Not `round`, which goes to the even one of two that are as near.
    if math.isinf(value):
        return value
    whole = float(math.trunc(value))
    return whole + math.copysign(1.0, value) if abs(value - whole) >= 0.5 else whole + 0.0


def _whole(value: Any) -> Any:
    """A number that is whole as one that is written so."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 9e15:
        return int(value)
    if isinstance(value, dict):
        return {name: _whole(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_whole(inner) for inner in value]
    return value


def by_status(response: Response, count: int, ctx: Context) -> Verdict:
    """What an answer means by its status: the default, for a plugin to correct where its platform says more."""
    status = response.status
    if 200 <= status <= 299:
        return Verdict_Delivered()
    if status in (408, 425, 429) or 500 <= status <= 599:
        return Verdict_Retry(retry_after_ms(response, ctx.now_ms))
    if status in (401, 403, 407):
        return Verdict_Credentials(reason(response))
    if count > 1 and status in (400, 413, 422):
        # The answer does not tell which of the events is bad: they are tried apart.
        return Verdict_Split()
    redirect = " (redirects are not followed)" if 300 <= status <= 399 else ""
    return Verdict_Reject(reason(response) + redirect)


def reason(response: Response) -> str:
    """The status and the beginning of the body, for a person: `HTTP 400: {"error":"unknown account"}`."""
    start = excerpt(response.body)
    return f"HTTP {response.status}: {start}" if start else f"HTTP {response.status}"


_SPACE = re.compile("[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_UNPRINTABLE = re.compile("[\u0000-\u001f\u007f-\u009f\ufffd]")


def excerpt(body: bytes) -> str:
    """The first 200 characters of a body, on one line, without what cannot be printed."""
    line = _SPACE.sub(" ", body[:800].decode(errors="replace"))
    return _UNPRINTABLE.sub("", line)[:200].strip(" ")


def body_json(response: Response) -> Any:
    """The body as JSON; `None` where it is none."""
    try:
        return json.loads(response.body)
    except ValueError:
        return None


def retry_after_ms(response: Response, now_ms: int) -> Optional[int]:
    """How long the answer's `Retry-After` asks to wait, in milliseconds: from seconds, or a date after `now_ms`."""
    value = (header(response, "retry-after") or "").strip()
    if re.fullmatch(r"[0-9]{1,15}", value):
        return int(value) * 1000
    at_ms = _parse_http_date(value)
    return None if at_ms is None else max(at_ms - now_ms, 0)


def header(response: Response, name: str) -> Optional[str]:
    """The first header with this name, whose case does not matter."""
    return next((value for known, value in response.headers if known.lower() == name.lower()), None)


_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_HTTP_DATE = re.compile(r"[A-Za-z]+, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT", re.ASCII)


def _parse_http_date(text: str) -> Optional[int]:
    found = _HTTP_DATE.fullmatch(text)
    if found is None or found[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(found[at]) for at in (1, 3, 4, 5, 6))
    try:
        at = datetime(year, _MONTHS.index(found[2]) + 1, day, hour, minute, 0, tzinfo=timezone.utc)
    except ValueError:
        return None
    return (int(at.timestamp()) + second) * 1000 if second <= 60 else None
