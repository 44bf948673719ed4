"""What PagerDuty calls back with: webhooks v3 (developer.pagerduty.com, "Webhooks", "Verifying signatures")."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from typing import Any

from responder.errors import Permanent, Reason
from responder.sinks import Call, Click, Heard

HEADER = "X-PagerDuty-Signature"
KEYS = ("incident_key", "alert_key", "dedup_key")
LONGEST_NAME = 100


def read(call: Call, secrets: Sequence[str], prefix: str) -> Heard:
    """The clicks of a call signed with one of the secrets. Incidents whose key has no such prefix are others'."""
    headers = {name.lower(): value for name, value in call.headers.items()}
    if not signed(call.body, headers.get(HEADER.lower(), ""), secrets):
        raise Permanent(f"{HEADER} is missing or wrong: check webhook_secret", Reason.UNAUTHORIZED)
    try:
        event = json.loads(call.body)["event"]
        kind, data = str(event["event_type"]), event.get("data") or {}
        if kind != "incident.acknowledged":
            return Heard()
        keys = _keys(data)
        by = str((event.get("agent") or {}).get("summary") or "")[:LONGEST_NAME] or "PagerDuty"
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise Permanent("the call is no event of PagerDuty's webhooks v3", Reason.BAD_REQUEST) from None
    ours = (key.removeprefix(prefix) for key in dict.fromkeys(keys) if key.startswith(prefix))
    return Heard(clicks=tuple(Click(key=key, command="acknowledge", by=by) for key in ours if key))


def signed(body: bytes, header: str, secrets: Iterable[str]) -> bool:
    """Whether one of the header's signatures is made with one of the secrets; all are compared, in constant time."""
    given = [part.strip().removeprefix("v1=").encode() for part in header.split(",") if part.strip().startswith("v1=")]
    right = False
    for secret in secrets:
        expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode()
        for signature in given:
            right |= hmac.compare_digest(expected, signature)
    return right


def _keys(data: dict[str, Any]) -> list[str]:
    """The key of the incident; where it holds alerts, theirs too."""
    alerts = data.get("alerts") or ()
    return [str(item[name]) for item in (data, *alerts) for name in KEYS if isinstance(item.get(name), str)]
