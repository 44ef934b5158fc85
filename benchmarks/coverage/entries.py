"""What the studies of coverage share: sizes, draws, and how a table is written."""

from __future__ import annotations

CONFIDENCE = 0.95
SIZES = (10, 30, 100, 1000, 10_000, 100_000)
RATES = (0.01, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99)
DRAWS = 20_000
GAP_DRAWS = 1_000


def cell(percent: float) -> str:
    text = f"{percent:.1f}"
    if percent < 93:
        return f"{text} (!)"
    return f"**{text}**" if percent > 97.5 else text


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
