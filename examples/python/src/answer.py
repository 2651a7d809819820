"""What Kompas's answer means. With status 200 it still judges each conversion: `results` has one code for each."""

from typing import Any

from tidegate import body_json, by_status
from wit_world.exports.plugin import (
    Context,
    Outcome,
    Outcome_Delivered,
    Outcome_Reject,
    Outcome_Retry,
    Response,
    Verdict,
    Verdict_Credentials,
    Verdict_Each,
    Verdict_Retry,
)


def verdict(response: Response, count: int, ctx: Context) -> Verdict:
    answer = body_json(response)
    answer = answer if isinstance(answer, dict) else {}
    error, results, after_ms = answer.get("error"), answer.get("results"), answer.get("retry_after_ms")
    if response.status == 200 and isinstance(error, str):
        return Verdict_Credentials(f"Kompas: {error}")
    if response.status == 200 and isinstance(results, list) and len(results) == count:
        return Verdict_Each([_outcome(judged) for judged in results])
    if response.status == 429 and isinstance(after_ms, int):
        # It says in its own way when to come back.
        return Verdict_Retry(after_ms)
    return by_status(response, count, ctx)


def _outcome(judged: dict[str, Any]) -> Outcome:
    code = judged["code"]
    # 1: it has this `dedup_key` already.
    if code in (0, 1):
        return Outcome_Delivered()
    # It could not look just now.
    if 90 <= code <= 99:
        return Outcome_Retry(None)
    return Outcome_Reject(f"Kompas {code}: {judged.get('message', '')}")
