"""Grafana OnCall's formatted webhook: alerts with one `alert_uid` are one group until `state` is `ok`."""

from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.grafana_oncall import GrafanaOncall
from tests import fakes

TOKEN = "mReAoNwDm0eMwKo1mTeTwYo"
FIELDS = {"alert_uid", "title", "state", "message", "image_url", "link_to_upstream_details"}


class Fake(fakes.sinks.Fake):
    """Keeps groups as lists of the alerts that came."""

    shows_pictures = True

    def __init__(self) -> None:
        super().__init__()
        self.groups: list[list[dict[str, Any]]] = []

    @property
    def secrets(self) -> tuple[str, ...]:
        return (TOKEN,)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "oncall", "url": f"{self.url}/integrations/v1/formatted_webhook/{TOKEN}/"}
        return GrafanaOncall.model_validate({"timeout": self.timeout, **given, **options})

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(
                f"{group[-1].get('title')}\n{group[-1].get('message')}",
                pictures=1 if group[-1].get("image_url") else 0,
                open=group[-1].get("state") != "ok",
            )
            for group in self.groups
        ]

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.path != f"/integrations/v1/formatted_webhook/{TOKEN}/" or request.method != "POST":
            return web.Response(status=403, text="Integration key was not found.")
        alert = fakes.sinks.document(body)
        if request.content_type != "application/json" or set(alert) - FIELDS or not alert.get("alert_uid"):
            self.refuse(f"{request.content_type} {sorted(alert)}")
        if alert.get("state") not in ("alerting", "ok"):
            self.refuse(f"state {alert.get('state')}")
        for name in ("image_url", "link_to_upstream_details"):
            if not alert.get(name, "https://").startswith(("http://", "https://")):
                self.refuse(f"{name} {alert[name]}")
        same = [one for one in self.groups if one[0]["alert_uid"] == alert["alert_uid"]]
        group = next((one for one in same if one[-1]["state"] != "ok"), None)
        if group:
            group.append(alert)
        elif alert["state"] != "ok":
            self.groups.append([alert])
        return web.Response(text="Ok.")
