"""Says of answers in Google's name whether Google could have given them, by the protocol buffers in its clients.

python validate_answers.py < answers > verdicts

Each line read is an answer: {"plugin", "body"}. Each line written is the verdict on it: a list of complaints in JSON,
empty where every name and every code is one of Google's.
"""

import importlib
import json
import sys

from validate_requests import data_manager, google_ads, skeleton

ADS, MANAGER = "v26", "v1"


def google_ads_complaints(body):
    requests = google_ads(ADS)
    skeleton(f"google.ads.googleads.{ADS}.errors")
    skeleton(f"google.ads.googleads.{ADS}.errors.types")
    errors = importlib.import_module(f"google.ads.googleads.{ADS}.errors.types.errors")
    kind = f"type.googleapis.com/google.ads.googleads.{ADS}.errors.GoogleAdsFailure"
    partial = body.pop("partialFailureError", {})
    for detail in partial.get("details", []) + body.pop("error", {}).get("details", []):
        if detail.pop("@type") == kind:
            yield from parsed(errors.GoogleAdsFailure, detail)
    services = [importlib.import_module(request.__module__) for request in requests.values()]
    either = [services[0].UploadClickConversionsResponse, services[1].UploadConversionAdjustmentsResponse]
    said = [list(parsed(message, body)) for message in either]
    yield from [] if [] in said else said[0]


def data_manager_complaints(body):
    service = importlib.import_module(data_manager(MANAGER)["ingest"].__module__)
    reasons = importlib.import_module("google.ads.datamanager_v1.types.error").ErrorReason.__members__
    for detail in body.pop("error", {}).get("details", []):
        own = detail.get("domain", "datamanager.googleapis.com") == "datamanager.googleapis.com"
        for said in [detail, *detail.get("fieldViolations", [])]:
            if own and "reason" in said and said["reason"] not in reasons:
                yield f"no reason {said['reason']!r}"
    yield from parsed(service.IngestEventsResponse, body)


def parsed(message, body):
    from google.protobuf import json_format

    try:
        json_format.ParseDict(body, message.pb(message()))
    except json_format.ParseError as error:
        yield str(error)


COMPLAINTS = {"google-ads": google_ads_complaints, "google-data-manager": data_manager_complaints}

for line in sys.stdin:
    answer = json.loads(line)
    print(json.dumps(list(COMPLAINTS[answer["plugin"]](answer["body"]))), flush=True)
