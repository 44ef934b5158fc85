"""How often the audit's intervals hold the truth: ``python benchmarks/coverage.py``, some 5 min.

Writes ``benchmarks/COVERAGE.md``. Truth is known by construction: binomial counts of given rates.
Single shares are enumerated (no simulation error); all else is simulated with fixed seeds.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binom

from plumbline import names
from plumbline.artifacts import write_text
from plumbline.audit import pairs
from plumbline.audit.build import statistics_to_audit
from plumbline.audit.counts import contingency_to_statistics
from plumbline.audit.options import AuditOptions
from plumbline.metrics.groups import contingency, discrimination
from plumbline.metrics.groups import rates as groups
from plumbline.metrics.groups.confusions import contingency_to_counts
from plumbline.metrics.intervals import power, proportions, shares

CONFIDENCE = 0.95
SIZES = (10, 30, 100, 1000, 10_000, 100_000)
RATES = (0.01, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99)
DRAWS = 20_000
GAP_DRAWS = 1_000


def ratio_interval(first: tuple, second: tuple, *, confidence: float) -> proportions.Interval:
    """Return the MOVER interval of a ratio of shares, each ``(successes, trials)``."""
    one, other = (
        (proportions.proportion(*counts), *shares.share_interval(*counts, confidence=confidence))
        for counts in (first, second)
    )
    return proportions.mover_ratio(one, other)


def main() -> None:
    parts = [
        HEAD,
        "## A rate",
        share_table(),
        "## A difference of two rates",
        pair_table("difference"),
        "## A ratio of two rates",
        pair_table("ratio"),
        "## The widest of many gaps",
        gap_table(),
        "## All gaps of an audit together",
        family_table(),
        "## Weighted rows, entities with several rows, AUROC",
        design_table(),
        "## The smallest gap that can be found",
        power_table(),
    ]
    path = Path(__file__).with_name("COVERAGE.md")
    write_text(path, "\n\n".join(parts) + "\n")
    print(path.read_text(encoding="utf-8"))


HEAD = f"""# Coverage of the audit's intervals

Written by `benchmarks/coverage.py`. Each entry is the percentage of samples whose
{100 * CONFIDENCE:g} % interval holds the truth. Rates are enumerated; differences, ratios and
designs are simulated ({DRAWS:,} draws an entry: standard error 0.15), gaps with {GAP_DRAWS:,}
draws (0.7). **Bold** entries are above 97: where fewer than
some five successes or failures are to be expected, counts are so few that an interval can only err
to one side, and the audit lets it be too wide (Clopper and Pearson) rather than too narrow. An
entry below 93 would be marked (!)."""


def share_table() -> str:
    rows = []
    for n in SIZES:
        k = np.arange(n + 1)
        low, high = shares.share_interval(k, n, confidence=CONFIDENCE)
        entries = []
        for rate in RATES:
            held = (low <= rate) & (rate <= high)
            entries.append(cell(100 * float(binom.pmf(k, n, rate)[held].sum())))
        rows.append([f"{n:,}", *entries])
    return table(["rows of the group", *(f"rate {rate:g}" for rate in RATES)], rows)


def pair_table(comparison: str) -> str:
    rng, rows = np.random.default_rng(1), []
    truths = [(0.01, 0.01), (0.01, 0.05), (0.1, 0.1), (0.1, 0.3), (0.5, 0.5), (0.5, 0.8),
              (0.9, 0.95), (0.99, 0.99)]  # fmt: skip
    for n1, n2 in itertools.combinations_with_replacement(SIZES, 2):
        entries = []
        for first, second in truths:
            k1, k2 = rng.binomial(n1, first, DRAWS), rng.binomial(n2, second, DRAWS)
            if comparison == "difference":
                truth = first - second
                low, high = shares.difference_interval((k1, n1), (k2, n2), confidence=CONFIDENCE)
            else:
                truth = first / second
                low, high = ratio_interval((k1, n1), (k2, n2), confidence=CONFIDENCE)
            defined = ~np.isnan(low)
            held = (low <= truth + 1e-12) & (truth <= high + 1e-12)
            entries.append(cell(100 * float(held[defined].mean())))
        rows.append([f"{n1:,} and {n2:,}", *entries])
    header = ["rows of the two groups", *(f"{a:g} and {b:g}" for a, b in truths)]
    return table(header, rows)


def gap_table() -> str:
    worlds = {
        "2 equal": [0.3, 0.3],
        "2 apart": [0.3, 0.4],
        "5 equal": [0.3] * 5,
        "5, one apart": [0.2, 0.3, 0.3, 0.3, 0.3],
        "5, evenly apart": [0.1, 0.2, 0.3, 0.4, 0.5],
        "5, two at each end": [0.2, 0.2, 0.3, 0.4, 0.4],
        "10 equal": [0.3] * 10,
    }
    rng, rows = np.random.default_rng(2), []
    for n in (100, 1000, 10_000, 100_000):
        entries = []
        for truth in worlds.values():
            p = np.array(truth)
            held = [gap_holds(rng.binomial(n, p), n, p) for _ in range(GAP_DRAWS)]
            entries.append(cell(100 * float(np.mean(held))))
        rows.append([f"{n:,}", *entries])
    words = (
        "Highest minus lowest rate of one metric and attribute. The lower end is the largest of "
        "all pairs' lower ends, which hold together, so that it agrees with the verdict; the upper "
        "end is the largest of all pairs' upper ends, each of which has the error that one pair's "
        "lower end leaves. Where several groups are tied at an end, as they are here to the last "
        "digit, it is wider than it need be: no sample can tell tied groups from near ones, for "
        "which it is not."
    )
    return words + "\n\n" + table(["rows of each group", *worlds], rows)


def gap_holds(k: np.ndarray, n: int, truth: np.ndarray) -> bool:
    size = np.full(len(k), float(n))
    compared = len(k) * (len(k) - 1) // 2
    labels = np.array([str(i) for i in range(len(k))], dtype=object)
    found = []
    for level in levels(CONFIDENCE, compared):
        ends = shares.share_interval(k, size, confidence=level)
        rows = pairs.Rows(labels, k / n, *ends, size.astype(int), size)
        found.append(pairs.pairwise(rows, "difference"))
    low, high = pairs.range_interval(*found, "difference")
    return bool(low <= truth.max() - truth.min() <= high)


def levels(confidence: float, compared: int) -> tuple[float, float]:
    """Return the confidence of the near and of the far end of a gap."""
    return proportions.bonferroni(confidence, compared), pairs.far_level(confidence, compared)


FAMILY_WORLDS = {
    # Positives of each age, and what the decision selects of negatives and positives by sex.
    "nothing differs": ((0.4, 0.4, 0.4), ((0.2, 0.7), (0.2, 0.7))),
    "selection by sex": ((0.4, 0.4, 0.4), ((0.15, 0.6), (0.25, 0.8))),
    "base rates by age": ((0.3, 0.4, 0.5), ((0.2, 0.7), (0.2, 0.7))),
    "both": ((0.3, 0.4, 0.5), ((0.15, 0.6), (0.25, 0.8))),
}


def family_table() -> str:
    rng, rows = np.random.default_rng(5), []
    for world, (base, selected) in FAMILY_WORLDS.items():
        p = family_cells(base, selected)
        for n in (300, 3000, 30_000):
            drawn = rng.multinomial(n, p, size=GAP_DRAWS).astype(float)
            held, alarm, holm = together(drawn, np.round(p * 1e12)[None])
            same_as_an_audit(drawn[0])
            rows.append(
                [world, f"{n:,}", cell(100 * held), f"{100 * alarm:.1f}", f"{100 * holm:.1f}"]
            )
    words = (
        "An audit of two sexes, three age bands and their intersection in six metrics (18 "
        f"hypotheses), {GAP_DRAWS:,} tables an entry: how often the intervals of *all* "
        "differences and ratios hold their truths, and how often a verdict calls some gap a "
        "difference that is none. Beside it what Holm's procedure, which has no such intervals, "
        "would reject wrongly."
    )
    header = ["world", "rows", "all hold, %", "false alarm, %", "Holm's, %"]
    return words + "\n\n" + table(header, rows)


def together(drawn: np.ndarray, law: np.ndarray) -> tuple[float, float, float]:
    """Return how often all intervals hold, some verdict and some Holm-adjusted p is wrong."""
    held, alarm = np.ones(len(drawn), dtype=bool), np.zeros(len(drawn), dtype=bool)
    raw, null = [], []
    for key in FAMILY:
        truth, gap = widest(law, key), widest(drawn, key)
        for comparison in ("difference", "ratio"):
            value = truth[comparison][0]
            _, low, high = gap[comparison]
            missed = (low > value + 1e-9) | (high < value - 1e-9)
            held &= ~missed
        equal = truth["difference"][0][0] < 1e-9
        alarm |= (gap["difference"][1] > 0) & equal
        raw.append(gap["p"])
        null.append(equal)
    adjusted = np.array([shares.holm(p) for p in np.array(raw).T])
    holm = (adjusted[:, np.array(null)] <= 1 - CONFIDENCE).any(axis=1)
    return float(held.mean()), float(alarm.mean()), float(holm.mean())


METRICS = (names.SELECTION_RATE, names.TPR, names.FPR, names.PPV, names.NPV, names.ACCURACY)
FAMILY = list(itertools.product(("sex", "age", "sex×age"), METRICS))


def widest(counts: np.ndarray, key: tuple[str, str]) -> dict[str, np.ndarray]:
    """Return value and ends of the gap of many tables ``(D, cells)`` at once, and its p."""
    attribute, metric = key
    cube = counts.reshape(-1, 2, 3, 2, 2)  # sex, age, truth, decision
    cube = (
        cube.reshape(-1, 6, 2, 2)
        if attribute == "sex×age"
        else (cube.sum(axis=2 if attribute == "sex" else 1))
    )
    cells = {"tp": cube[..., 1, 1], "fp": cube[..., 0, 1], "tn": cube[..., 0, 0],
             "fn": cube[..., 1, 0]}  # fmt: skip
    above, below = (sum(cells[c] for c in part) for part in groups.RATES[metric])
    i, j = np.triu_indices(above.shape[1], k=1)
    share = above / below
    swap = share[:, i] < share[:, j]
    top, bottom = np.where(swap, j, i), np.where(swap, i, j)
    row = np.arange(len(share))[:, None]
    large, small = ((above[row, g], below[row, g]) for g in (top, bottom))
    near, far = levels(proportions.bonferroni(CONFIDENCE, len(FAMILY)), len(i))
    low, _ = shares.difference_interval(large, small, confidence=near)
    _, high = shares.difference_interval(large, small, confidence=far)
    found = {"difference": (np.ptp(share, axis=1), low.max(axis=1), high.max(axis=1))}
    low, _ = ratio_interval(small, large, confidence=far)
    _, high = ratio_interval(small, large, confidence=near)
    value = share.min(axis=1) / share.max(axis=1)
    found["ratio"] = (value, low.min(axis=1), high.min(axis=1))
    found["p"] = np.minimum(shares.difference_p(large, small).min(axis=1) * len(i), 1)
    return found


def same_as_an_audit(counts: np.ndarray) -> None:
    """Check that an audit of the table has the ends that `widest` has."""
    audited = family_gaps(counts)
    for attribute, metric in FAMILY:
        own = widest(counts[None], (attribute, metric))
        for comparison in ("difference", "ratio"):
            gap = audited[attribute, metric, comparison]
            ends = [float(end[0]) for end in own[comparison]]
            if not np.allclose([gap["value"], gap["low"], gap["high"]], ends, atol=1e-9):
                raise AssertionError(f"{attribute} {metric}: {gap} is not {ends}")


def family_cells(base: tuple[float, ...], selected: tuple[tuple[float, float], ...]) -> np.ndarray:
    """Return the probability of each sex, age, truth and decision, in that order."""
    cells = [
        (1 / len(selected) / len(base))
        * (positive if truth else 1 - positive)
        * (rates[truth] if decided else 1 - rates[truth])
        for rates in selected
        for positive in base
        for truth in (0, 1)
        for decided in (0, 1)
    ]
    return np.array(cells)


def family_gaps(counts: np.ndarray) -> dict[tuple[str, str, str], dict[str, object]]:
    sex, age, truth, decided = np.indices((2, 3, 2, 2)).reshape(4, -1)
    zero, rows = np.zeros(len(sex), dtype=np.int64), np.round(counts)
    counted = contingency.collapse(
        contingency.ContingencyTable(
            ("sex", "age"), (("f", "m"), ("1", "2", "3")), ("0", "1"), "1", np.empty(0),
            np.stack([sex, age], axis=1), truth, decided, zero, zero, rows.astype(np.int64), rows,
            rows, np.zeros(len(sex)),
        )
    )  # fmt: skip
    audit = statistics_to_audit(
        contingency_to_statistics(counted, max_order=2), pd.DataFrame(columns=groups.RATE_COLUMNS),
        AuditOptions(CONFIDENCE, 1, 0, min_group_size=10, min_group_share=0.02, max_order=2),
    )  # fmt: skip
    return {(g["attribute"], g["metric"], g["comparison"]): g for g in audit["gaps"]}


def design_table() -> str:
    rng, rows = np.random.default_rng(3), []
    for n in (30, 100, 300, 1000):
        held = np.zeros((GAP_DRAWS, 3))
        for i in range(GAP_DRAWS):
            weight = rng.gamma(2, size=n)
            # Weights go with the outcome: the truth is the weighted rate, 0.3 · 1.5 / 1.15.
            y = (rng.random(n) < 0.3).astype(int)
            weighted = covers(y, np.where(y == 1, 1.5, 1.0) * weight, None, 0.45 / 1.15)
            # Entities of four rows whose own rate varies: Beta(1.5, 3.5) has mean 0.3.
            own = np.repeat(rng.beta(1.5, 3.5, size=n), 4)
            z = (rng.random(4 * n) < own).astype(int)
            clustered = covers(z, None, np.repeat(np.arange(n), 4), 0.3)
            held[i] = weighted, clustered, auroc_holds(rng, n)
        rows.append([f"{n:,}", *(cell(100 * float(h)) for h in held.mean(axis=0))])
    header = ["rows (or entities)", "weighted rate", "rate of entities with four rows each",
              "AUROC of 0.71"]  # fmt: skip
    return f"{GAP_DRAWS:,} draws an entry.\n\n" + table(header, rows)


def covers(y: np.ndarray, weight: np.ndarray | None, entity: object, truth: float) -> bool:
    frame = pd.DataFrame({"y_true": 1, "y_pred": y})
    counted = contingency.table_to_contingency(
        frame, attributes=(), classes=("0", "1"), positive="1", weight=weight, entity=entity
    )
    counts = contingency_to_counts(counted, max_order=0, overall=True)
    rate = groups.counts_to_rates(counts, confidence=CONFIDENCE).set_index("metric")
    row = rate.loc[names.SELECTION_RATE]
    return bool(row["low"] <= truth <= row["high"])


def auroc_holds(rng: np.random.Generator, n: int) -> bool:
    from scipy.special import expit, ndtr

    y = rng.integers(2, size=n)
    score = expit(rng.normal(size=n) + 0.8 * y)
    counted = contingency.table_to_contingency(
        pd.DataFrame({"y_true": y, "y_pred": 0}), attributes=(), classes=("0", "1"), positive="1",
        score=score,
    )  # fmt: skip
    rows = discrimination.score_rates(counted, max_order=0, confidence=CONFIDENCE)
    row = rows.set_index("metric").loc[names.AUROC]
    return bool(row["low"] <= ndtr(0.8 / np.sqrt(2)) <= row["high"])


def power_table() -> str:
    rng, rows = np.random.default_rng(4), []
    for n, others, share in ((10, 90, 0.5), (30, 1000, 0.1), (100, 1000, 0.3), (1000, 9000, 0.3),
                             (10_000, 90_000, 0.01)):  # fmt: skip
        below, above = power.detectable_gap(
            np.array([n]), np.array([share * others]), np.array([others]),
            confidence=CONFIDENCE, power=0.8,
        )  # fmt: skip
        entries = []
        for gap in (-below[0], above[0]):
            if np.isnan(gap):
                entries += ["none", ""]
                continue
            own = rng.binomial(n, share + gap, DRAWS)
            rest = rng.binomial(others, share, DRAWS)
            low, high = shares.difference_interval((own, n), (rest, others), confidence=CONFIDENCE)
            entries += [f"{gap:+.4f}", f"{100 * ((low > 0) | (high < 0)).mean():.1f}"]
        rows.append([f"{n:,} among {others:,} others at {share:g}", *entries])
    words = "The gap that the audit says is found in 80 % of samples, and in how many it was."
    header = ["group", "below", "found, %", "above", "found, %"]
    return words + "\n\n" + table(header, rows)


def cell(percent: float) -> str:
    text = f"{percent:.1f}"
    if percent < 93:
        return f"{text} (!)"
    return f"**{text}**" if percent > 97 else text


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
