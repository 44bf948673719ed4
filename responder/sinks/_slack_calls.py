"""What Slack posts to us: the check of the address, and clicks on our buttons. Signed, or not read at all.

https://docs.slack.dev/authentication/verifying-requests-from-slack, and interactivity/handling-user-interaction.
"""

import json
from typing import Any, get_args
from urllib.parse import parse_qs

from slack_sdk.signature import Clock, SignatureVerifier

from responder.errors import Permanent, Reason
from responder.model.message import Command
from responder.sinks import Call, Click, Heard
from responder.sinks._text import clean, cut

COMMANDS: tuple[Command, ...] = get_args(Command)
LONGEST_NAME = 80
LONGEST_CHALLENGE = 1024


class _At(Clock):
    """The time of the call, as the verifier asks for it."""

    def __init__(self, call: Call) -> None:
        self._now = call.now.timestamp()

    def now(self) -> float:
        return self._now


def read_call(call: Call, signing_secret: str) -> Heard:
    """The clicks, or the answer to the check. Raises Permanent: UNAUTHORIZED, or BAD_REQUEST."""
    _verify(call, signing_secret)
    document = _document(call.body)
    if document.get("type") == "url_verification":
        return Heard(answer=str(document.get("challenge") or "")[:LONGEST_CHALLENGE])
    if document.get("type") != "block_actions":
        return Heard()
    who = _name(document.get("user"))
    actions = document.get("actions")
    return Heard(
        tuple(_click(action, who) for action in actions if _is_ours(action)) if isinstance(actions, list) else ()
    )


def _verify(call: Call, signing_secret: str) -> None:
    try:
        good = SignatureVerifier(signing_secret, _At(call)).is_valid_request(call.body, dict(call.headers))
    except (TypeError, ValueError):
        good = False
    if not good:
        message = "the call is not signed by Slack with this app's signing secret, or it is older than five minutes"
        raise Permanent(message, Reason.UNAUTHORIZED)


def _document(body: bytes) -> dict[str, Any]:
    """JSON, or the form whose field `payload` is JSON."""
    try:
        text = body.decode()
        found = json.loads(text if text.lstrip().startswith("{") else parse_qs(text, max_num_fields=10)["payload"][0])
    except (ValueError, KeyError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Permanent("the call holds no payload as Slack sends it", Reason.BAD_REQUEST)
    return found


def _is_ours(action: Any) -> bool:
    return isinstance(action, dict) and action.get("action_id") in COMMANDS and isinstance(action.get("value"), str)


def _click(action: dict[str, Any], who: str) -> Click:
    return Click(key=action["value"], command=action["action_id"], by=who)


def _name(user: Any) -> str:
    told = [user.get(field) for field in ("name", "username", "id")] if isinstance(user, dict) else []
    name = next((name for name in told if isinstance(name, str) and name.strip()), "somebody in Slack")
    return cut(" ".join(clean(name).split()), LONGEST_NAME)
