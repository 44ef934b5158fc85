"""False alarms of the search for the most different subgroup, and what it finds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from plumbline import names
from plumbline.audit.options import AuditOptions
from plumbline.audit.subgroups.search import search
from plumbline.metrics.groups.contingency import table_to_contingency

from .entries import CONFIDENCE, table

DRAWS = 500
ATTRIBUTES = ("age", "race", "region", "sex")
OPTIONS = AuditOptions(CONFIDENCE, 300, 0, min_group_size=10, max_order=len(ATTRIBUTES) - 1)
DESIGNS = {
    "rows": (False, False),
    "weights, gamma(0.7)": (True, False),
    "entities of four rows": (False, True),
    "weights and entities": (True, True),
}
WORLDS = ((500, 0.3), (500, 0.05), (2000, 0.1))


def tables() -> list[str]:
    words = (
        f"`--search {OPTIONS.max_order}` over four attributes (137 subgroups, four rates), {DRAWS} "
        "data sets an entry (standard error 1 at 5). False alarm: a search of data in which "
        "nothing differs calls a subgroup different; it may do so in 5 % of searches. With weights "
        "or entities it does so less often: the variance of a subgroup is taken to be at least the "
        "pooled one, as its own, which is small where a subgroup has few hits by chance, makes low "
        "rates look certain. Found: of data with a subgroup (4 % of the rows) whose selection rate "
        "is 0.25 higher. With weights a subgroup is searched only if five effective hits and five "
        "misses are to be expected of it, which this one has in few of these samples."
    )
    header = ["rows", "rate", *(f"{design}: false alarm, %" for design in DESIGNS),
              "rows, 0.25 injected: found, %", "weights, 0.25 injected: found, %"]  # fmt: skip
    rows = [
        [
            f"{n:,}", f"{rate:g}",
            *(marked(alarms(n, rate, *design)) for design in DESIGNS.values()),
            *(f"{100 * alarms(n, rate, w, False, 0.25):.1f}" for w in (False, True)),
        ]
        for n, rate in WORLDS
    ]  # fmt: skip
    return ["## The search for the most different subgroup", words, table(header, rows)]


def marked(share: float) -> str:
    limit = 0.05 + 1.96 * np.sqrt(0.05 * 0.95 / DRAWS)
    return f"{100 * share:.1f}" + (" (!)" if share > limit else "")


def alarms(n: int, rate: float, weighted: bool, clustered: bool, injected: float = 0.0) -> float:
    draws = DRAWS if not injected else DRAWS // 5
    return float(np.mean([alarmed(seed, n, rate, weighted, clustered, injected)
                          for seed in range(draws)]))  # fmt: skip


def alarmed(
    seed: int, n: int, rate: float, weighted: bool, clustered: bool, injected: float
) -> bool:
    """Return whether some subgroup is called different in one data set."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.choice(["<40", "40-60", "60+"], n),
            "race": rng.choice(list("ABC"), n, p=[0.6, 0.25, 0.15]),
            "region": rng.choice(["east", "north", "west"], n),
            "sex": rng.choice(["female", "male"], n, p=[0.7, 0.3]),
            "y_true": rng.integers(2, size=n),
        }
    )
    entity = np.arange(n) // 4 if clustered else None
    chance = np.full(n, rate)
    if entity is not None:  # an entity's own rate: correlation of its rows 1/6
        chance = rng.beta(5 * rate, 5 * (1 - rate), size=n // 4 + 1)[entity]
    own = (frame["age"] == "60+") & (frame["sex"] == "male") & (frame["race"] != "A")
    frame["y_pred"] = (rng.random(n) < chance + injected * own).astype(int)
    counted = table_to_contingency(
        frame, attributes=ATTRIBUTES, classes=("no", "yes"), positive="yes", entity=entity,
        weight=rng.gamma(0.7, size=n) if weighted else None,
    )  # fmt: skip
    return any(entry["verdict"] == names.DIFFERENCE for entry in search(counted, OPTIONS))
