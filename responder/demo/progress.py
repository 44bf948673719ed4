"""The steps of the demo as they are taken: on a terminal each with a spinner, then a tick and the seconds it took."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Steps:
    """One line a step; the last one is under way."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def begin(self, what: str) -> None:
        """The step before is done, this one begins."""
        if not self._console.is_terminal:
            self._console.print(f"… {what}", soft_wrap=True, highlight=False, markup=False)
            return
        self._finish()
        if self._progress is None:
            self._progress = Progress(
                SpinnerColumn(finished_text="[green]✓[/green]"),
                TextColumn("{task.description}", markup=False),
                TimeElapsedColumn(),
                console=self._console,
            )
            self._progress.start()
        self._task = self._progress.add_task(what, total=1)

    def pause(self) -> None:
        """The step is done; make room for other output."""
        self._finish()
        self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._finish()
        self._stop()

    def _finish(self) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=1)
            self._task = None

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
