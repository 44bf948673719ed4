"""What Responder counts is exported from the start, at zero, so that Prometheus sees the first event too."""

from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families

from tests.service import Running, Starter, alert, start_service

__all__ = ["start_service"]


async def counters(service: Running) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    async with service.session.get(f"{service.url}/metrics") as answer:
        text = await answer.text()

    def series() -> Iterator[tuple[str, frozenset[tuple[str, str]]]]:
        for family in text_string_to_metric_families(text):
            if family.type == "counter":
                yield from ((sample.name, frozenset(sample.labels.items())) for sample in family.samples)

    return set(series())


async def test_no_counter_begins_with_its_first_event(start_service: Starter) -> None:
    service = await start_service("crash_loop", sinks=[{"name": "console", "kind": "log"}])
    before = await counters(service)
    await service.post(alert(pod="websocket-0", severity="critical"))
    incident = await service.incident()
    await service.say(f"incidents/{incident['id']}/acknowledge", by="Ada")
    await service.say(f"incidents/{incident['id']}/feedback", helpful=True, by="Ada")
    await service.say(f"incidents/{incident['id']}/false-alarm", by="Ada", reason="a test")
    await service.post({**alert(pod="websocket-0", severity="critical"), "status": "resolved"}, status="resolved")
    await service.incident(lambda item: item["status"] == "resolved")
    async with service.session.post(f"{service.url}/api/v1/alertmanager", data=b"{") as answer:
        assert answer.status == 400
    assert await counters(service) == before
