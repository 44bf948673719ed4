"""The receiving end of a webhook sink; `GET /_messages` lists what came.

python -m benchmarks.fake_sink PORT
"""

import sys
import time
from typing import Any

from aiohttp import web


def main() -> None:
    """Serve until ended."""
    messages: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        report = await request.json()
        messages.append(
            {
                "at": time.time(),
                "id": report["id"],
                "status": report["status"],
                "alerts": len(report["alerts"]),
                "findings": [finding["cause"] for finding in report["findings"]],
                "opened_at": report["opened_at"],
                "investigation": report["investigation"],
                "slowest": max((evidence["seconds"] for evidence in report["evidence"]), default=0),
            }
        )
        return web.Response(status=204)

    async def show(_request: web.Request) -> web.Response:
        return web.json_response(messages)

    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/", take)
    app.router.add_get("/_messages", show)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
