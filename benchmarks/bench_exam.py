"""Cases of other clusters, answered in this process and scored against the truth.

    python -m benchmarks.bench_exam [--cases FILE.tar.gz] [--half development|held] [-v]

Without --cases it is both halves of `tests/exam`, and the archive of `../shared/exam` where that is there. A case is
NAME/{alert.json, truth.json, snapshot/}. Of the held half only the totals are shown: who looks at its cases one by one
has nothing left to measure with.
"""

import argparse
import asyncio
import statistics
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.exam.description import HALVES, descriptions
from tests.exam.play import Player, moved, player
from tests.exam.scoring import Result, calibration, share_right

ARCHIVE = Path(__file__).resolve().parents[2] / "shared" / "exam" / "cases.tar.gz"


async def play_archive(one: Player, archive: Path) -> list[Result]:
    """The answers to the cases of an archive."""
    with tempfile.TemporaryDirectory(prefix="exam-") as folder:
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        cases = sorted(truth.parent for truth in Path(folder).rglob("truth.json"))
        for case in cases:
            moved(case, datetime.now(UTC).replace(microsecond=0))
        return [await one.play(case) for case in cases]


def show(title: str, results: Sequence[Result], verbose: bool, named: bool) -> None:
    """Print a score; with `named` each case by its name, with `verbose` what was found, too."""
    print(f"\n{title}: A@1 {share_right(results):.3f} on {len(results)} cases")
    verdicts = Counter(result.verdict for result in results)
    print("  " + ", ".join(f"{verdict} {count}" for verdict, count in verdicts.most_common()))
    sure = [f"{confidence} {right} of {total}" for confidence, (right, total) in calibration(results).items()]
    print(f"  right when it says: {', '.join(sure) or 'nothing'}")
    for what, chosen in (
        ("wrong and certain", [result.case for result in results if result.wrong_and_certain]),
        ("healthy accused", [result.case for result in results if result.accuses_the_healthy]),
    ):
        print(f"  {what}: {len(chosen)}{' (' + ', '.join(chosen) + ')' if chosen and named else ''}")
    _spread("processor time, s", results, lambda result: result.processor)
    _spread("first answer, s", results, lambda result: result.first)
    _spread("last answer, s", results, lambda result: result.last)
    _spread("API requests", results, lambda result: result.requests)
    for result in results if named else ():
        if verbose or result.verdict != "right":
            _describe(result, verbose)


def _spread(what: str, results: Sequence[Result], value: Callable[[Result], float]) -> None:
    values = sorted(map(value, results)) or [0.0]
    high = values[min(len(values) - 1, int(len(values) * 0.95))]
    print(f"  {what}: p50 {statistics.median(values):.3g}, p95 {high:.3g}")


def _describe(result: Result, verbose: bool) -> None:
    first = result.leading
    answer = f"{first.confidence} {first.cause} {first.subject.kind}/{first.subject.name}" if first else "-"
    print(f"    {result.verdict:8} {result.case:34} {answer}")
    if verbose:
        print(f"             expected: {result.expected}")
        for finding in result.findings[:5]:
            print(f"             - {finding.confidence} {finding.cause}: {finding.headline[:200]}")


async def run(archives: Sequence[Path], halves: Sequence[str], verbose: bool) -> None:
    """Play and print."""
    async with player() as one:
        for archive in archives:
            show(str(archive), await play_archive(one, archive), verbose, named=True)
        for half in halves:
            results = await one.play_described(descriptions(half))
            show(f"tests/exam, {half}", results, verbose, named=half != "held")


def main() -> None:
    """Play what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, help="an archive of cases, and nothing else")
    parser.add_argument("--half", choices=HALVES, help="one half of tests/exam, and nothing else")
    parser.add_argument("-v", dest="verbose", action="store_true", help="what was found, too")
    options = parser.parse_args()
    archives = [options.cases] if options.cases else [] if options.half or not ARCHIVE.exists() else [ARCHIVE]
    halves = [options.half] if options.half else [] if options.cases else HALVES
    asyncio.run(run(archives, halves, options.verbose))


if __name__ == "__main__":
    main()
