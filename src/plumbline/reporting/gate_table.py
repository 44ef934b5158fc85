"""The table of rules that ``plumbline gate`` prints."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from plumbline import gate
from plumbline.artifacts.plain_text import visible


def show_gate(judged: Sequence[gate.Judgement], today: datetime.date) -> None:
    """Print one row per rule, the warnings, and how many rules passed, warned and failed."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(stderr=True)
    if not console.is_terminal:
        console = Console(stderr=True, width=110)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=f"Policy on {today.isoformat()}")
    for heading in ("status", "model and number", "found", "rule", "source: owner", "ends"):
        table.add_column(heading, overflow="fold")
    colours = {gate.PASS: "green", gate.WARN: "yellow", gate.WAIVED: "yellow", gate.IDLE: "dim"}
    for one in judged:
        rule = one.outcome
        table.add_row(
            Text(one.status, style=colours.get(one.status, "bold red")),
            *(
                Text(visible(text, keep="\n"))
                for text in (
                    f"{rule['model']}\n{rule['quantity']}",
                    gate.found_value(rule),
                    _asked(rule),
                    f"{rule['source']}: {rule['owner']}",
                    _dates(rule),
                )
            ),
        )
    console.print(table)
    for one in judged:
        # Failures are told by the error that follows.
        if one.status in (gate.WARN, gate.WAIVED, gate.IDLE):
            console.print(Text(visible(f"{one.status}: {one.sentence}")))
    console.print(Text(gate.counts(judged)))


def _asked(rule: Mapping[str, Any]) -> str:
    warned = gate.warned(rule)
    return "\n".join(filter(None, (gate.wanted(rule), warned and f"warning: {warned}")))


def _dates(rule: Mapping[str, Any]) -> str:
    own = rule["expires"] or "never"
    return f"{own}\nwaiver {rule['waiver']['until']}" if rule["waiver"] else own
