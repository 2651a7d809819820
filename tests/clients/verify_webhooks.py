"""Says of webhooks what the library that Standard Webhooks publishes for those who receive them says.

python verify_webhooks.py < webhooks > verdicts

Each line read is a webhook: {"secret", "headers", "body"}, the body as text. Each line written is the verdict on it: a
list of complaints in JSON, empty where the signature is right and of the last minutes.
"""

import json
import sys

from standardwebhooks import Webhook, WebhookVerificationError

for line in sys.stdin:
    webhook, complaints = json.loads(line), []
    try:
        Webhook(webhook["secret"]).verify(webhook["body"], webhook["headers"])
    except WebhookVerificationError as error:
        complaints.append(str(error))
    print(json.dumps(complaints), flush=True)
