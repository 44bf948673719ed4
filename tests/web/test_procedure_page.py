"""A procedure in a real browser: a checklist that works without scripts, and moves on by itself with them."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.service import Running, Starter, alert
from tests.web.test_pages import CHROMIUM, DESK, PHONE, opened

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed: make setup"),
]

RUNBOOK = "kubechat-disaster-recovery"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


async def start(page: Page, service: Running) -> None:
    """Start the procedure on its runbook's page."""
    await page.goto(f"{service.url}/runbooks/{RUNBOOK}")
    await page.locator("#start input[name=by]").fill("Ada")
    await page.locator("#start textarea").fill("namespace=kubechat-system")
    await page.get_by_role("button", name="Start this procedure").click()
    await page.locator("#procedure").wait_for()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
async def test_somebody_works_through_a_procedure(
    browser: Browser, start_service: Starter, size: dict[str, int], scripts: bool
) -> None:
    service = await start_service("crash_loop")
    context = await browser.new_context(viewport=size, java_script_enabled=scripts)  # type: ignore[arg-type]
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(f"{message.text} {message.location}"))
    await start(page, service)
    await service.incident()
    await page.reload()
    current = page.locator(".step[aria-current=step]")
    assert await current.get_attribute("id") == "step-cluster_health"
    assert "kubectl get nodes" in await current.locator("pre").inner_text()
    await current.locator("input[name=by]").fill("Ada")
    await current.locator("input[name=note]").fill("three nodes, all Ready")
    await current.get_by_role("button", name="Done").click()
    await page.locator("#step-choose_backup[aria-current=step]").wait_for()
    assert "three nodes, all Ready" in await page.locator("#step-cluster_health").inner_text()
    assert "Ada" in await page.locator("#step-cluster_health .heading").inner_text()
    restore = page.locator("#step-restore")
    await restore.locator("summary").click()
    assert "Danger" in await restore.inner_text()
    assert "-n kubechat-system" not in await restore.locator("pre").inner_text()
    assert "--include-namespaces kubechat-system" in await restore.locator("pre").inner_text()
    assert complaints == []
    await restore.get_by_role("button", name="Done").click()
    assert "What the step needs is not done" in await page.locator("body").inner_text()


async def test_a_check_by_a_probe_is_shown_with_what_it_saw(browser: Browser, start_service: Starter) -> None:
    service = await start_service("crash_loop")
    context = await browser.new_context(viewport=DESK)  # type: ignore[arg-type]
    page = await context.new_page()
    await start(page, service)
    await service.incident()
    await page.reload()
    await page.locator("#step-cluster_health").get_by_role("button", name="Check it").click()
    await page.locator("#step-cluster_health.is-done").wait_for()
    assert "Seen:" in await page.locator("#step-cluster_health").inner_text()


async def test_what_somebody_else_does_appears_without_a_reload(browser: Browser, start_service: Starter) -> None:
    service = await start_service("crash_loop")
    report = await service.say("incidents", 201, runbook=RUNBOOK, by="Ada")
    page, complaints = await opened(browser, f"{service.url}/incidents/{report['id']}")
    await page.get_by_text("live").first.wait_for()
    await service.say(f"incidents/{report['id']}/procedure/cluster_health", state="done", by="Ben")
    await page.locator("#step-cluster_health.is-done").wait_for(timeout=10_000)
    await page.locator("#step-choose_backup.is-next").wait_for()
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
async def test_the_page_of_a_procedure_does_not_scroll_sideways(
    browser: Browser, start_service: Starter, size: dict[str, int], scheme: str
) -> None:
    service = await start_service("crash_loop")
    report = await service.say("incidents", 201, runbook=RUNBOOK, by="Ada")
    await service.incident()
    for path in (f"/incidents/{report['id']}", f"/runbooks/{RUNBOOK}"):
        page, complaints = await opened(browser, service.url + path, size, scheme)
        await page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true })")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert complaints == []


async def test_an_incident_is_escalated_given_back_and_its_update_published(
    browser: Browser, start_service: Starter
) -> None:
    service = await start_service("crash_loop")
    await service.post(alert("KubeChatDown"))
    incident = await service.incident(lambda found: found["investigation"]["status"] == "finished")
    page, complaints = await opened(browser, f"{service.url}/incidents/{incident['id']}")
    assert "On-call — nobody is notified: no contact for level_1" in await page.locator("#levels").inner_text()
    await page.get_by_role("button", name="Escalate now").click()
    await page.get_by_text("The team — nobody is notified: no contact for level_2").wait_for()
    await page.locator("#top form.take input[name=by]").first.fill("Ada")
    await page.get_by_role("button", name="Acknowledge", exact=True).click()
    await page.get_by_text("Acknowledged by Ada: the escalation rests").wait_for()
    await page.get_by_role("button", name="Unacknowledge").click()
    await page.get_by_text("Must be acknowledged by").wait_for()
    await page.locator("#public").get_by_role("button", name="Publish").click()
    await page.locator("#public").get_by_text("published by").wait_for()
    await page.get_by_role("button", name="Mark as a false alarm").click()
    await page.get_by_text("Marked as a false alarm").first.wait_for()
    assert complaints == []
