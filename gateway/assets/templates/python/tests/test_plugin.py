import json
import unittest

from componentize_py_types import Err
from plugin import Plugin
from wit_world.exports.plugin import Rejection_Invalid, Rejection_Skip, Verdict_Retry

from . import example


class PluginTest(unittest.TestCase):
    def test_a_purchase_is_reported_with_its_worth(self):
        event = example.event(value=0.1 + 0.2, currency="EUR", order_id="A-1")
        [request] = Plugin().transform(event, example.context(account_id="4711"))
        self.assertEqual(request.endpoint, "conversions")
        conversion = {"id": "evt_1", "type": "purchase", "time": 1768487520, "value": 0.3, "currency": "EUR"}
        self.assertEqual(json.loads(request.body), {"conversions": [{**conversion, "order_id": "A-1"}]})

    def test_a_page_view_is_skipped(self):
        with self.assertRaises(Err) as raised:
            Plugin().transform(example.event(name="page_view"), example.context())
        self.assertEqual(raised.exception.value, Rejection_Skip("not a conversion"))

    def test_a_purchase_without_a_currency_is_never_sent(self):
        with self.assertRaises(Err) as raised:
            Plugin().transform(example.event(value=1.0), example.context())
        self.assertEqual(raised.exception.value, Rejection_Invalid("purchase without currency"))

    def test_an_answer_of_a_server_in_trouble_is_tried_again(self):
        answer = example.response(503, headers=[("Retry-After", "30")])
        self.assertEqual(Plugin().classify(answer, 1, example.context()), Verdict_Retry(30000))
