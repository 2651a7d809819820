"""Sends the shop's three events with segment-analytics-python, compressed, as a shop's backend would.

python segment_shop.py HOST WRITE_KEY CONSENT

CONSENT is the JSON of `context.consent`. Prints a line of JSON for every error; ends with 0 when all is flushed.
"""

import json
import logging
import pathlib
import sys

from segment.analytics.client import Client

host, write_key, consent = sys.argv[1:]
shop = json.loads(pathlib.Path(__file__).with_name("shop.json").read_text())
logging.getLogger("segment").addHandler(logging.NullHandler())


def say(error, batch):
    print(json.dumps({"status": getattr(error, "status", None), "error": str(error), "events": len(batch)}), flush=True)


client = Client(write_key, host=host, gzip=True, on_error=say)
who = {"user_id": shop["userId"], "anonymous_id": shop["anonymousId"]}


def context():
    # The client writes into what it is given.
    return {**shop["context"], "page": shop["page"], "consent": json.loads(consent)}


client.identify(traits=shop["traits"], context=context(), **who)
client.page(name="Thanks", properties=shop["page"], context=context(), **who)
client.track(event="Order Completed", properties=shop["purchase"], context=context(), **who)
client.shutdown()
