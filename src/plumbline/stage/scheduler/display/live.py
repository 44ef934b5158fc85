"""Progress of a pipeline on a terminal: a line for each stage that runs, what ended above."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import rich.live
from rich.console import Console, Group
from rich.text import Text

from plumbline.stage.scheduler.display.tally import Running, Tally
from plumbline.stage.scheduler.display.text import about, clean, clock, with_stage

_NAMES = 0.35  # largest share of a line for names of stages
_BAR = 16  # cells
_NARROW = 60  # cells of a terminal below which no bars are drawn


class Live:
    """Shows the stages that run at the bottom of a terminal, and the others above.

    Parameters
    ----------
    tally : Tally
    console : rich.console.Console
        Of a terminal.
    """

    def __init__(self, tally: Tally, console: Console) -> None:
        self._tally, self._console = tally, console
        self._live = rich.live.Live(
            console=console,
            get_renderable=lambda: Group(*self._rows()),
            refresh_per_second=4,
            transient=True,
            vertical_overflow="crop",
        )

    def started(self, stage: str, expected_seconds: float | None) -> None:
        """See `events.Display`."""
        self._tally.start(stage, expected_seconds)
        self._live.start()  # not before: what goes wrong until then finds the terminal as it was

    def waiting(self, stage: str) -> None:
        """See `events.Display`."""
        self._tally.waiting.add(stage)

    def line(self, stage: str, text: str) -> None:
        """See `events.Display`."""
        if (news := self._tally.read(stage, text)) is not None:
            self._print(Text(with_stage(stage, news) if news else ""))

    def up_to_date(self, stage: str) -> None:
        """See `events.Display`."""
        self._tally.skip(stage)
        self._live.start()

    def finished(self, stage: str, seconds: float) -> None:
        """See `events.Display`."""
        state = self._tally.finish(stage, seconds)
        row = self._head("✓", "green", stage, seconds)
        if state and state.progress:
            row.append(f"  {state.progress.result}", "dim")
        self._print(self._fitted(row))

    def failed(self, stage: str, error: str) -> None:
        """See `events.Display`."""
        state = self._tally.running.get(stage)
        self._tally.fail(stage, error)
        seconds = None if state is None else self._tally.elapsed(state.started)
        row = self._head("✗", "red", stage, seconds)
        self._print(self._fitted(row.append(f"  {clean(error)}")))

    def not_run(self, stages: Sequence[str]) -> None:
        """See `events.Display`."""
        self._tally.not_run += stages

    def close(self) -> None:
        """See `events.Display`."""
        self._live.stop()
        *told, last = self._tally.summary()
        if told:
            self._print(Text())
        for line in told:
            is_failure = line.partition(" failed")[0] in self._tally.failures
            self._print(Text(line, "red" if is_failure else ""))
        self._print(Text(last, "bold"))

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)

    def _fitted(self, row: Text) -> Text:
        row.truncate(self._console.width, overflow="ellipsis")
        return row

    def _head(self, mark: str, style: str, name: str, seconds: float | None) -> Text:
        widest = min(max(self._tally.longest_name, 12), int(_NAMES * self._console.width))
        shown = Text(name)
        shown.truncate(widest, overflow="ellipsis", pad=True)
        time = "" if seconds is None else clock(seconds)
        digits = 5 if self._tally.elapsed() < 3600 else 7
        return Text().append(f"{mark} ", style).append(shown).append(f" {time:>{digits}}", "dim")

    def _rows(self) -> Iterator[Text]:
        running = list(self._tally.running.items())
        room = max(self._console.height - 2, 1)
        shown = running if len(running) <= room else running[: room - 1]
        for name, stage in shown:
            yield self._fitted(self._row(name, stage))
        if len(shown) < len(running):
            yield self._fitted(Text(f"  and {len(running) - len(shown)} more", "dim"))
        yield self._fitted(self._total())

    def _row(self, name: str, stage: Running) -> Text:
        seconds = self._tally.elapsed(stage.started)
        fraction = stage.progress.fraction if stage.progress else None
        row = self._head(" ", "", name, seconds)
        percent = "" if fraction is None else f"{100 * fraction:.0f} %"
        if fraction is None and stage.expected:
            fraction = min(seconds / stage.expected, 0.99)
        row.append_text(self._bar(fraction)).append(f"{percent:>6}" if self._is_wide else percent)
        takes = about(stage.expected)
        text = stage.progress.text if stage.progress else takes and f"of {takes}"
        return row.append(f"  {text}", "dim")

    def _total(self) -> Text:
        tally = self._tally
        row = self._head(" ", "", f"{tally.ended}/{tally.total} stages", tally.elapsed())
        row.stylize("bold")
        row.append_text(self._bar(tally.ended / tally.total if tally.total else 0.0))
        left = tally.seconds_left()
        parts = [] if left is None else [f"about {clock(left)} left"]
        if waiting := sorted(tally.waiting):
            more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
            parts.append(f"{waiting[0]}{more} {'wait' if more else 'waits'} for memory")
        return row.append(" " * (8 if self._is_wide else 2) + ", ".join(parts))

    def _bar(self, fraction: float | None) -> Text:
        if not self._is_wide:
            return Text("  ")
        done = int(_BAR * (fraction or 0))
        return Text("  ").append("━" * done, "green").append("─" * (_BAR - done), "dim")

    @property
    def _is_wide(self) -> bool:
        return self._console.width >= _NARROW
