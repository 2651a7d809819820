"""Reports purchases and leads to the conversions API of Example Ads."""

from tidegate import (
    by_status,
    identifier,
    json_request,
    known,
    money,
    money_required,
    round_money,
    seconds,
    skip,
)
from wit_world import exports
from wit_world.exports.plugin import Context, Event, Request, Response, Verdict


class Plugin(exports.Plugin):
    def transform(self, event: Event, ctx: Context) -> list[Request]:
        """One event to the requests that report it. What is not to be sent is raised: `skip` or `invalid`.

        `json.loads(ctx.config)` is the destination's configuration.
        """
        if event.name == "purchase":
            kind, worth = "purchase", money_required(event)
        elif event.name == "generate_lead":
            kind, worth = "lead", money(event)
        else:
            raise skip("not a conversion")
        conversion = known(
            id=event.id,
            type=kind,
            time=seconds(event.at_ms),
            email_sha256=identifier(event, "email"),
            value=worth and round_money(worth.value, worth.currency),
            currency=worth and worth.currency,
            order_id=event.order_id,
            products=[item.id for item in event.items if item.id is not None],
        )
        # The platform checks and shows a test, and counts it for nothing.
        query = [("test", "1")] if ctx.test_mode else []
        return [json_request("conversions", {"conversions": [conversion]}, query=query)]

    def classify(self, response: Response, count: int, ctx: Context) -> Verdict:
        """What the platform's answer means: by its status, as with most platforms. Look closer where yours says more."""
        return by_status(response, count, ctx)
