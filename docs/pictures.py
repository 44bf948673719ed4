"""Takes the pictures of docs/sinks: how the sample finding looks in each kind of sink. `make pictures`."""

import asyncio
import shutil
import tempfile
from pathlib import Path

from aiohttp import web
from playwright.async_api import async_playwright

from responder import plugins, sinks
from responder.app import Service, world
from responder.clock import SystemClock
from responder.metrics import Metrics
from responder.settings import Settings
from responder.sinks import Sink
from tests.fakes.sinks import find

HERE = Path(__file__).parent
PICTURES = HERE / "images" / "sinks"
SIZE = {"width": 800, "height": 1000}
WITHOUT_SERVICE = ("log", "status_file")


class Nowhere:
    """A fake's address before it is started: a preview needs nobody."""

    url = "http://127.0.0.1:9"


async def main() -> None:
    """Take them all."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("Chromium is not installed: make setup")
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(database=f"sqlite:///{folder}/r.db", sinks=(), external_url="https://responder.example")
        async with world(settings, Metrics(), SystemClock()) as found:
            found.sinks.update(_samples(Path(folder)))  # type: ignore[attr-defined]
            runner = web.AppRunner(Service(found).application(), access_log=None, shutdown_timeout=1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            await _shoot(chromium, f"http://{host}:{port}", list(found.sinks))
            await runner.cleanup()


def _samples(folder: Path) -> dict[str, Sink]:
    """A sink of each kind, under its kind's name."""
    catalog = plugins.load(sinks, Sink, "sink")
    found: dict[str, Sink] = {
        "log": catalog.build("log", {"name": "log"}),
        "status_file": catalog.build("status_file", {"name": "status_file", "folder": str(folder), "publish": True}),
    }
    for kind in catalog.kinds:
        if kind not in WITHOUT_SERVICE:
            fake = type("Fake", (Nowhere, find(kind)), {})
            found[kind] = fake().sink(name=kind)
    return found


async def _shoot(chromium: str, url: str, kinds: list[str]) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
        for kind in kinds:
            await page.goto(f"{url}/sinks/{kind}", wait_until="load")
            await page.locator(".preview").nth(1).screenshot(path=PICTURES / f"{kind}.png")
            print(f"docs/images/sinks/{kind}.png")
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
