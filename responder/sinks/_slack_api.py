"""Slack's Web API: one call, and what its errors mean. Slack answers 200 also where it refuses."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from responder.clients.answers import unreachable
from responder.errors import Permanent, Reason, Temporary
from responder.model.redaction import redact
from responder.sinks._http import judge, pause

HOST = "Slack"
_AGAIN = {
    "ratelimited": Reason.OVERLOADED,
    "rate_limited": Reason.OVERLOADED,
    "message_limit_exceeded": Reason.OVERLOADED,
    "request_timeout": Reason.TIMEOUT,
    "service_unavailable": Reason.SERVER_ERROR,
    "team_added_to_org": Reason.SERVER_ERROR,
    "internal_error": Reason.SERVER_ERROR,
    "fatal_error": Reason.SERVER_ERROR,
}
_NEVER = {
    "not_authed": Reason.UNAUTHORIZED,
    "invalid_auth": Reason.UNAUTHORIZED,
    "account_inactive": Reason.UNAUTHORIZED,
    "token_revoked": Reason.UNAUTHORIZED,
    "token_expired": Reason.UNAUTHORIZED,
    "missing_scope": Reason.FORBIDDEN,
    "no_permission": Reason.FORBIDDEN,
    "access_denied": Reason.FORBIDDEN,
    "ekm_access_denied": Reason.FORBIDDEN,
    "not_in_channel": Reason.FORBIDDEN,
    "channel_not_found": Reason.NOT_FOUND,
    "is_archived": Reason.NOT_FOUND,
    "message_not_found": Reason.NOT_FOUND,
    "msg_blocks_too_long": Reason.TOO_LARGE,
    "msg_too_long": Reason.TOO_LARGE,
    "metadata_too_large": Reason.TOO_LARGE,
    "attachment_payload_limit_exceeded": Reason.TOO_LARGE,
}


class Refused(Permanent):
    """Slack understood and refused; `code` is its error."""

    def __init__(self, message: str, reason: Reason, code: str) -> None:
        super().__init__(message, reason)
        self.code = code


class SlackApi:
    """The methods that a sink calls, with one token, each with a timeout."""

    def __init__(self, http: aiohttp.ClientSession, token: str, base_url: str, timeout: float) -> None:
        self._client = AsyncWebClient(token, base_url=base_url, session=http, retry_handlers=[])
        # the session decides about proxies, not the environment
        self._client.proxy = None
        self._timeout = timeout
        self._secrets = (token,)

    async def call(self, method: str, document: Mapping[str, Any], *, form: bool = False) -> dict[str, Any]:
        """The answer. Raises Temporary, or Permanent (`Refused` where Slack named an error)."""
        given: dict[str, Any] = {"data" if form else "json": dict(document)}
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._client.api_call(method, **given)
        except SlackApiError as error:
            raise self._trouble(method, error.response) from None
        except TimeoutError:
            raise Temporary(f"{HOST} did not answer within {self._timeout:g} s", Reason.TIMEOUT) from None
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(error, HOST) from None
        except (SlackClientError, AttributeError, ValueError, RecursionError):
            raise _no_answer(method) from None
        data = answer.data
        if not isinstance(data, dict):
            raise _no_answer(method)
        return data

    def _trouble(self, method: str, response: Any) -> Temporary | Permanent:
        status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0))
        data = getattr(response, "data", None)
        document = data if isinstance(data, dict) else {}
        code = str(document.get("error") or "")
        retry_after = _header(response, "Retry-After")
        if status != 200:
            return judge(status, retry_after, f"{HOST} answered {status} to {method}", _clean(code, self._secrets))
        if not code:
            return _no_answer(method)
        said = f"{HOST} refused {method}: {_clean(_explained(code, document), self._secrets)}"
        if code in _AGAIN:
            return Temporary(said, _AGAIN[code], pause(retry_after, datetime.now(UTC)))
        forbidden = Reason.FORBIDDEN if code.startswith("restricted_action") else Reason.BAD_REQUEST
        return Refused(said, _NEVER.get(code, forbidden), code)


def _no_answer(method: str) -> Temporary:
    return Temporary(f"{HOST} did not answer {method} with what it publishes: a proxy may have", Reason.BAD_ANSWER)


def _header(response: Any, name: str) -> str:
    headers = getattr(response, "headers", None) or {}
    return next((str(value) for key, value in headers.items() if key.lower() == name.lower()), "")


def _explained(code: str, document: Mapping[str, Any]) -> str:
    """`missing_scope (needed chat:write)`; of blocks, where the fault is."""
    metadata = document.get("response_metadata")
    told = metadata.get("messages") if isinstance(metadata, dict) else None
    notes = [f"needed {document['needed']}"] if document.get("needed") else []
    notes += [str(note) for note in told[:2]] if isinstance(told, list) else []
    return f"{code} ({'; '.join(notes)})" if notes else code


def _clean(text: str, secrets: Collection[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    line = redact(" ".join(text.split()))
    return "".join(character for character in line if character.isprintable())[:256]
