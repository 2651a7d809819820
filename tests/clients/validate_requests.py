"""Says of requests to platforms what the platforms' own published models say of them.

python validate_requests.py < requests > verdicts

Each line read is a request: {"plugin", "url", "headers", "body"}. Each line written is the verdict on it: a list of
complaints in JSON, empty where the model takes the request. Sends nothing and needs no credentials.

A model is one of these:
- google-ads, google-data-manager: the protocol buffers in Google's clients, which Google's JSON is a mapping of.
- klaviyo, pinterest: what these platforms generated from their OpenAPI descriptions.
- amplitude, meta-capi, slack: written by the platforms' own hands, for their clients.

A request has to come out of a model as it went in: what it logs, drops or changes is a complaint.

Of these packages only the models are loaded (see `skeleton`): none of them needs its network libraries for that.
"""

import functools
import importlib
import inspect
import json
import logging
import re
import sys
import types


class Complaint(Exception):
    """What is wrong with a request, in words."""


def skeleton(package):
    """A package without what its `__init__` loads: all there is, in Google's case, and the network with it."""
    parent, _, name = package.rpartition(".")
    around = sys.modules.get(parent) or importlib.import_module(parent) if parent else None
    module = types.ModuleType(package)
    module.__path__ = [f"{path}/{name}" for path in (around.__path__ if around else sys.path)]
    sys.modules[package] = module


def absent(package, **names):
    """A package that a model imports and never asks."""
    sys.modules[package] = types.ModuleType(package)
    vars(sys.modules[package]).update(names)


# Google: protocol buffers.


@functools.cache
def google_ads(version):
    root = f"google.ads.googleads.{version}"
    skeleton("google.ads.googleads")
    skeleton(root)
    for part in ("common", "enums", "services"):
        skeleton(f"{root}.{part}")
        skeleton(f"{root}.{part}.types")
    services = f"{root}.services.types."
    clicks = importlib.import_module(services + "conversion_upload_service")
    adjustments = importlib.import_module(services + "conversion_adjustment_upload_service")
    return {
        "uploadClickConversions": clicks.UploadClickConversionsRequest,
        "uploadConversionAdjustments": adjustments.UploadConversionAdjustmentsRequest,
    }


@functools.cache
def data_manager(version):
    root = f"google.ads.datamanager_{version}"
    skeleton(root)
    skeleton(f"{root}.types")
    return {"ingest": importlib.import_module(f"{root}.types.ingestion_service").IngestEventsRequest}


def protobuf(models, request):
    """Names, types, and the enums' values; protocol buffers have no required fields."""
    from google.protobuf import json_format

    version, method = re.search(r"^https://[^/]+/(v\d+)/.*:(\w+)$", request["url"]).groups()
    try:
        message = models(version)[method]
    except ModuleNotFoundError as missing:
        raise Complaint(f"no model of {version}: {missing}") from missing
    try:
        json_format.ParseDict(request["body"], message.pb(message()))
    except json_format.ParseError as error:
        raise Complaint(str(error)) from error


# Klaviyo: pydantic models, generated from its OpenAPI description.


def klaviyo(request):
    from klaviyo_api.wrapper import KlaviyoAPI
    from openapi_client.models.event_create_query_v2 import EventCreateQueryV2
    from openapi_client.models.profile_upsert_query import ProfileUpsertQuery
    from pydantic import ValidationError

    wanted, given = KlaviyoAPI._REVISION, request["headers"].get("revision")
    if given != wanted:
        raise Complaint(f"revision: the model is {wanted}, the request {given}")
    body, kind = request["body"], request["url"].rpartition("/")[2]
    try:
        taken = {"events": EventCreateQueryV2, "profile-import": ProfileUpsertQuery}[kind].from_dict(body)
    except ValidationError as error:
        said = (f"/{'/'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise Complaint("; ".join(said)) from error
    # Names that the models do not know are no error to them: they are not there any more afterwards.
    kept(json.loads(json.dumps(taken.to_dict(), default=str)), body, loosely=("/data/attributes/time",))


# Pinterest: an older generator's models, of its OpenAPI description.


def pinterest(request):
    from openapi_generated.pinterest_client.configuration import Configuration
    from openapi_generated.pinterest_client.exceptions import OpenApiException
    from openapi_generated.pinterest_client.model.conversion_events import ConversionEvents
    from openapi_generated.pinterest_client.model_utils import validate_and_convert_types

    try:
        taken = validate_and_convert_types(
            request["body"], (ConversionEvents,), ["body"], True, True, configuration=Configuration()
        )
    except OpenApiException as error:
        raise Complaint(str(error)) from error
    known_only(taken, "")


def known_only(model, at):
    """The models take names that they do not know, and any value for them."""
    if isinstance(model, list):
        for index, each in enumerate(model):
            known_only(each, f"{at}/{index}")
    elif hasattr(model, "openapi_types"):
        # Of a model made of alternatives, any one may know the name.
        made_of = [model, *getattr(model, "_composed_instances", [])]
        known = {name for each in made_of for name in each.openapi_types}
        for name, value in model._data_store.items():
            if name not in known:
                raise Complaint(f"{at}/{name}: not known")
            known_only(value, f"{at}/{name}")


# Amplitude: the event of its client.


def amplitude(request):
    from amplitude.event import EVENT_KEY_MAPPING, BaseEvent

    complaints = logged("amplitude")
    ours = {wire: name for name, (wire, _) in EVENT_KEY_MAPPING.items()}
    # JSON has one kind of number: 50 is 50.0, which only Python tells apart.
    numbers = {wire for wire, kind in EVENT_KEY_MAPPING.values() if kind is float}
    for index, event in enumerate(request["body"]["events"]):
        if unknown := [name for name in event if name not in ours]:
            raise Complaint(f"/events/{index}: {unknown} not known")
        event |= {name: float(event[name]) for name in numbers & event.keys() if type(event[name]) is int}
        body = BaseEvent(**{ours[name]: value for name, value in event.items()}).get_event_body()
        if complaints:
            raise Complaint(f"/events/{index}: {'; '.join(complaints)}")
        kept(body, event, f"/events/{index}")


def logged(name):
    """What a client logs instead of refusing it."""
    told, logger = [], logging.getLogger(name)

    class Listener(logging.Handler):
        def emit(self, record):
            told.append(record.getMessage())

    logger.handlers, logger.propagate = [Listener()], False
    return told


# Meta: the server-side event of its client.

META_USER = {"em": "emails", "ph": "phones", "db": "dates_of_birth", "fn": "first_names", "ln": "last_names"}
META_USER |= {"ct": "cities", "st": "states", "zp": "zip_codes", "country": "country_codes"}
META_USER["external_id"] = "external_ids"


@functools.cache
def meta_models():
    for package in ("facebook_business", "facebook_business.adobjects", "facebook_business.adobjects.serverside"):
        skeleton(package)
    # For countries as people write them, and for reading a browser's request: ours are hashed, and read.
    absent("pycountry")
    absent("capi_param_builder", ParamBuilder=None)
    root = "facebook_business.adobjects.serverside."
    names = {"action_source": "ActionSource", "content": "Content", "custom_data": "CustomData"}
    names |= {"delivery_category": "DeliveryCategory", "event": "Event", "user_data": "UserData"}
    found = {name: getattr(importlib.import_module(root + at), name) for at, name in names.items()}
    return types.SimpleNamespace(**found)


def meta(request):
    models = meta_models()
    if unknown := set(request["body"]) - {"data", "test_event_code", "partner_agent", "namespace_id"}:
        raise Complaint(f"{sorted(unknown)} not known")
    for index, event in enumerate(request["body"]["data"]):
        at = f"/data/{index}"
        try:
            # The client writes currencies in small letters; the documents have ISO 4217's, and Meta minds neither.
            kept(meta_event(models, event).normalize(), event, at, loosely=(f"{at}/custom_data/currency",))
        except (TypeError, ValueError) as error:
            raise Complaint(f"{at}: {error}") from error


def meta_event(models, event):
    fields = dict(event)
    if "action_source" in fields:
        fields["action_source"] = models.ActionSource(fields["action_source"])
    user = dict(fields["user_data"])
    # The client takes a gender as a letter only, and hashes it itself.
    gender = user.pop("ge", None)
    model = models.UserData(**{META_USER.get(name, name): value for name, value in user.items()})
    if gender is not None:
        model.normalize = lambda: {**models.UserData.normalize(model), "ge": gender}
    fields["user_data"] = model
    if "custom_data" in fields:
        custom = dict(fields["custom_data"])
        # An advertiser's own parameters, which are free.
        known = inspect.signature(models.CustomData.__init__).parameters
        own = {name: custom.pop(name) for name in list(custom) if name not in known}
        if "delivery_category" in custom:
            custom["delivery_category"] = models.DeliveryCategory(custom["delivery_category"])
        if "contents" in custom:
            ours = {"id": "product_id"}
            items = ({ours.get(name, name): value for name, value in item.items()} for item in custom["contents"])
            custom["contents"] = [models.Content(**item) for item in items]
        fields["custom_data"] = models.CustomData(**custom, custom_properties=own)
    return models.Event(**fields)


# Slack: the arguments and the blocks of its webhook client.


def slack(request):
    from slack_sdk.errors import SlackObjectFormationError
    from slack_sdk.models.blocks import Block
    from slack_sdk.webhook import WebhookClient

    body, complaints = request["body"], logged("slack_sdk.models.blocks.blocks")
    if unknown := set(body) - set(inspect.signature(WebhookClient.send).parameters):
        raise Complaint(f"{sorted(unknown)} not known")
    for index, block in enumerate(body.get("blocks", [])):
        try:
            parsed = Block.parse(block)
            made = parsed.to_dict() if parsed else None
        except (SlackObjectFormationError, TypeError) as error:
            raise Complaint(f"/blocks/{index}: {error}") from error
        if complaints:
            raise Complaint(f"/blocks/{index}: {'; '.join(complaints)}")
        kept(made, block, f"/blocks/{index}")


# Comparison.


def kept(made, given, at="", loosely=()):
    """Whether all that went into a model came out of it; what is `loosely` kept may have another form."""
    if isinstance(given, dict) and isinstance(made, dict):
        for name, value in given.items():
            if name not in made:
                raise Complaint(f"{at}/{name}: not known")
            kept(made[name], value, f"{at}/{name}", loosely)
    elif isinstance(given, list) and isinstance(made, list) and len(given) == len(made):
        for index, (one, other) in enumerate(zip(made, given)):
            kept(one, other, f"{at}/{index}", loosely)
    elif at not in loosely and made != given:
        raise Complaint(f"{at}: {json.dumps(given)} became {json.dumps(made)}")


MODELS = {
    "amplitude": amplitude,
    "google-ads": functools.partial(protobuf, google_ads),
    "google-data-manager": functools.partial(protobuf, data_manager),
    "klaviyo": klaviyo,
    "meta-capi": meta,
    "pinterest": pinterest,
    "slack": slack,
}


def verdict(request):
    try:
        MODELS[request["plugin"]](request)
    except Complaint as complaint:
        return [str(complaint)]
    return []


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(verdict(json.loads(line))), flush=True)
