import unittest

from componentize_py_types import Err
from plugin import Plugin
from wit_world.exports.plugin import (
    Outcome_Delivered,
    Outcome_Reject,
    Outcome_Retry,
    Rejection_Invalid,
    Verdict_Each,
)

from . import example

CONTEXT = example.context(advertiser_id="1", custom_events="drop")


class PluginTest(unittest.TestCase):
    def test_whom_nobody_can_find_is_not_sent(self):
        with self.assertRaises(Err) as raised:
            Plugin().transform(example.event(value=1.0, currency="EUR"), CONTEXT)
        reason = "nothing that Kompas could find the customer by"
        self.assertEqual(raised.exception.value, Rejection_Invalid(reason))

    def test_each_conversion_of_a_batch_is_judged_by_its_own_code(self):
        answer = {"results": [{"code": 1}, {"code": 90}, {"code": 17, "message": "no such sku"}]}
        verdict = Plugin().classify(example.response(200, answer), 3, CONTEXT)
        judged = [Outcome_Delivered(), Outcome_Retry(None), Outcome_Reject("Kompas 17: no such sku")]
        self.assertEqual(verdict, Verdict_Each(judged))
