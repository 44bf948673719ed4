"""How soon it is ready, and what it costs to have it idle.

python -m benchmarks.bench_footprint
"""

import tempfile
import time
from pathlib import Path

from benchmarks.harness import configuration, free_port, running

IDLE = 10.0


def main() -> None:
    """Print the time from start to ready, idle memory and idle processor share."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for when in ("first start", "second start"):
            port = free_port()
            with running(configuration(Path(folder), port), port) as server:
                time.sleep(2)
                before = server.cpu_seconds()
                time.sleep(IDLE)
                share = (server.cpu_seconds() - before) / IDLE * 100
                print(
                    f"  {when}: ready after {server.ready_after:.2f} s, idle {server.memory():.0f} MB, "
                    f"{share:.1f} % of one processor"
                )


if __name__ == "__main__":
    main()
