"""The pages in a real browser: readable at 3 a.m. on a phone, live, and safe against what strangers write."""

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.service import Running, Starter, alert

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
SHIFT = """() => new Promise(done => {
  let sum = 0;
  new PerformanceObserver(list => { for (const entry of list.getEntries()) sum += entry.value })
    .observe({type: 'layout-shift', buffered: true});
  setTimeout(() => done(sum), 300);
})"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed: make setup"),
]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
async def service(start_service: Starter) -> Running:
    """A service with one diagnosed incident."""
    service = await start_service("crash_loop")
    await service.post(alert("KubeChatPodCrashLooping", pod="api-gateway-547ccb84b6-llcn9"))
    await service.incident()
    return service


async def opened(
    browser: Browser, url: str, size: dict[str, int] = DESK, scheme: str = "light"
) -> tuple[Page, list[str]]:
    """A page, with what its console says."""
    context = await browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(url, wait_until="load")
    return page, complaints


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
async def test_the_verdict_is_what_one_sees_first(
    browser: Browser, service: Running, size: dict[str, int], scheme: str
) -> None:
    incident = await service.incident()
    page, complaints = await opened(browser, f"{service.url}/incidents/{incident['id']}", size, scheme)
    box = await page.locator("h1").bounding_box()
    assert box
    assert box["y"] + box["height"] < size["height"]
    assert "256Mi (OOMKilled)" in await page.locator("h1").inner_text()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    assert await page.evaluate(SHIFT) < 0.01
    assert complaints == []


async def test_dark_and_light_differ_and_both_have_contrast(browser: Browser, service: Running) -> None:
    incident = await service.incident()
    grounds = []
    for scheme in ("light", "dark"):
        page, _ = await opened(browser, f"{service.url}/incidents/{incident['id']}", DESK, scheme)
        ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        ink = await page.evaluate("getComputedStyle(document.querySelector('h1')).color")
        grounds.append(ground)
        assert contrast(ground, ink) >= 7
    assert grounds[0] != grounds[1]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, section 1.4.3, of two `rgb()` colours."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


async def test_a_reason_leads_to_its_evidence_with_the_command_that_shows_it_again(
    browser: Browser, service: Running
) -> None:
    incident = await service.incident()
    page, _ = await opened(browser, f"{service.url}/incidents/{incident['id']}")
    number = await page.locator(".why a.ref").first.inner_text()
    await page.locator(".why a.ref").first.click()
    body = page.locator(f"#evidence-{number}")
    await body.wait_for(state="visible")
    assert "kubectl" in await body.locator(".command code").first.inner_text()


async def test_a_new_incident_and_its_answer_appear_without_a_reload(browser: Browser, start_service: Starter) -> None:
    service = await start_service("crash_loop")
    page, complaints = await opened(browser, service.url)
    assert await page.locator(".incidents li").count() == 0
    await service.post(alert("KubeChatPodCrashLooping", pod="api-gateway-547ccb84b6-llcn9"))
    await page.get_by_text("256Mi (OOMKilled)").wait_for(timeout=10_000)
    await page.locator(".incidents a.verdict").first.click()
    await page.locator("h1").wait_for()
    incident = await service.incident()
    await service.post(
        {
            **alert("KubeChatPodCrashLooping", pod="api-gateway-547ccb84b6-llcn9"),
            "status": "resolved",
            "endsAt": "2099-01-01T00:00:00Z",
            "startsAt": incident["alerts"][0]["starts_at"],
        },
        status="resolved",
    )
    await page.locator(".state.is-resolved").first.wait_for(timeout=10_000)
    assert complaints == []


async def test_somebody_takes_it_and_says_whether_it_was_right(browser: Browser, service: Running) -> None:
    incident = await service.incident()
    page, complaints = await opened(browser, f"{service.url}/incidents/{incident['id']}", PHONE)
    await page.get_by_placeholder("your name").fill("Ada")
    await page.get_by_role("button", name="Acknowledge", exact=True).click()
    await page.get_by_text("acknowledged by Ada").first.wait_for()
    await page.get_by_role("button", name="Yes").click()
    await page.get_by_text("found the finding useful").first.wait_for()
    assert (await service.incident())["acknowledged_by"] == "Ada"
    assert complaints == []


async def test_what_strangers_write_stays_text(browser: Browser, start_service: Starter) -> None:
    service = await start_service("crash_loop")
    evil = "</title><script>document.title='owned'</script><img src=x onerror=alert(1)>{{ 7 * 7 }}\u202e"
    await service.post(
        {
            **alert(evil, **{"te am": evil, "namespace": evil}),
            "annotations": {"summary": evil, "runbook_url": "javascript:alert(1)"},
        }
    )
    incident = await service.incident()
    for path in ("/", f"/incidents/{incident['id']}"):
        page, complaints = await opened(browser, service.url + path)
        assert await page.title() != "owned"
        assert await page.locator("img, script:not([src])").count() == 0
        assert await page.locator("a[href^='javascript']").count() == 0
        assert "49" not in await page.locator("h1").inner_text()
        assert complaints == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/runbooks", 200),
        ("/runbooks/kubechat-pod-crash-loop", 200),
        ("/causes", 200),
        ("/causes/oom-killed", 200),
        ("/incidents/nosuch", 404),
        ("/runbooks/nosuch", 404),
        ("/nosuch", 404),
    ],
)
async def test_every_page_is_there_and_says_no_clearly(
    browser: Browser, start_service: Starter, path: str, status: int
) -> None:
    service = await start_service()
    async with service.session.get(service.url + path, headers={"Accept": "text/html"}) as answer:
        assert answer.status == status
        assert answer.headers["Content-Security-Policy"]
    page, _ = await opened(browser, service.url + path, PHONE)
    assert await page.locator("h1").inner_text()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_on_a_phone_the_navigation_does_not_break_inside_words(browser: Browser, service: Running) -> None:
    page, _ = await opened(browser, service.url, {"width": 320, "height": 640})
    lines = "element => element.getClientRects().length"
    links = page.locator("nav a")
    assert [await links.nth(number).evaluate(lines) for number in range(await links.count())] == [1] * 4
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"


async def test_what_is_to_come_still_reads_so_once_the_script_runs(browser: Browser, service: Running) -> None:
    incident = await service.incident()
    page, _ = await opened(browser, f"{service.url}/incidents/{incident['id']}")
    due = page.locator("#levels li:not(.is-told) time").first
    assert (await due.inner_text()).startswith("in ")
