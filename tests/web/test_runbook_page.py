"""The page of a runbook: what it is for, what is left open, and what the settings say of it."""

from tests.service import Starter


async def page(start: Starter, name: str, **settings: object) -> str:
    service = await start(**settings)
    async with service.session.get(f"{service.url}/runbooks/{name}", headers={"Accept": "text/html"}) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_symptoms_and_variables_are_shown_as_they_count(start_service: Starter) -> None:
    given = {"siem_url": "https://siem.example/api/events"}
    text = await page(start_service, "kubechat-siem-export-failures", variables=given)
    assert "<h2>Symptoms</h2>" in text
    assert "The SIEM does not receive audit events" in text
    assert "<code>siem_url</code> <code>https://siem.example/api/events</code>" in text
    assert '<code>exec</code> <span class="dim">not set</span>' in text
    assert "vars.siem_url != &#34;&#34;" in text
