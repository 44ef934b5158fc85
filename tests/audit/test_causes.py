"""Where gaps come from: sums by hand, and planted truth found again in sign and size."""

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.audit import causes
from plumbline.audit.build import predictions_to_audit
from plumbline.audit.document import audit_to_markdown
from plumbline.audit.options import AuditOptions
from plumbline.metrics.groups.contingency import table_to_contingency
from plumbline.metrics.intervals.resampling import Resampling
from tests.audit import tables

GAP = {"attribute": "sex", "metric": names.SELECTION_RATE, "comparison": "difference",
       "highest": "m", "lowest": "f"}  # fmt: skip


def one(first, second):
    """Counts tp, fp, tn, fn of two groups in strata."""
    return np.array([[first, second]], dtype=float)


def parts_of(table, metric=names.SELECTION_RATE, **options):
    attributes = options.pop("attributes", ("sex",))
    contingency = table_to_contingency(
        table, attributes=attributes, classes=("0", "1"), positive="1", **options
    )
    found = causes.contingency_to_causes(
        contingency, [GAP], Resampling(confidence=0.95, replicates=500, seed=0)
    )
    return next(entry for entry in found if entry["metric"] == metric)


def people(n, base, selected, seed=0):
    """Rows of f and m with base rates, and shares selected of (negatives, positives)."""
    rng = np.random.default_rng(seed)
    sex = rng.integers(2, size=n)
    y = (rng.random(n) < np.array(base)[sex]).astype(int)
    decided = (rng.random(n) < np.array(selected)[sex, y]).astype(int)
    return pd.DataFrame({"sex": np.array(["f", "m"])[sex], "y_true": y, "y_pred": decided})


def test_the_split_into_base_rates_and_model_is_kitagawas_by_hand():
    """m: p 0.5, TPR 0.8, FPR 0.2; f: p 0.25, TPR 0.6, FPR 0.2."""
    counts = one([[40, 10, 40, 10]], [[15, 15, 60, 10]])
    found = {k: float(v[0]) for k, v in causes.split(counts, names.SELECTION_RATE).items()}
    assert found["gap"] == pytest.approx(0.5 - 0.3)
    assert found["base_rates"] == pytest.approx(0.25 * (0.7 - 0.2))
    assert found["positives"] == pytest.approx(0.375 * 0.2)
    assert found["negatives"] == pytest.approx(0)
    errors = {k: float(v[0]) for k, v in causes.split(counts, causes.ERROR_RATE).items()}
    assert errors["gap"] == pytest.approx(0.2 - 0.25)
    assert errors["base_rates"] == pytest.approx(0.25 * (0.3 - 0.2))
    assert errors["positives"] == pytest.approx(0.375 * (0.2 - 0.4))


def test_composition_is_split_off_by_hand_and_strata_without_a_counterpart_stay_apart():
    """Strata old and young: half and half of m, one to three of f; a third stratum has only f."""
    old_m, young_m = [10, 20, 10, 10], [5, 5, 20, 20]  # 50 rows each: rates 0.6 and 0.2
    old_f, young_f = [10, 15, 15, 10], [30, 15, 60, 45]  # 50 and 150: rates 0.5 and 0.3
    nobody, only_f = [0, 0, 0, 0], [0, 0, 100, 0]
    counts = one([old_m, young_m, nobody], [old_f, young_f, only_f])
    found = {k: float(v[0]) for k, v in causes.split(counts, names.SELECTION_RATE).items()}
    # Shares of old: 0.5 and 0.25; mean rates: old 0.55, young 0.25.
    assert found["composition"] == pytest.approx(0.25 * 0.55 - 0.25 * 0.25)
    assert found["within"] == pytest.approx(0.375 * 0.1 + 0.625 * -0.1)
    assert found["gap"] == pytest.approx(0.4 - 70 / 300)
    assert found["unmatched"] == pytest.approx(
        found["gap"] - found["composition"] - found["within"]
    )


def test_all_parts_add_up_to_the_gap_in_every_replicate():
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 9, size=(200, 2, 5, 4)).astype(float)
    counts[:50, 0, 2] = 0
    for metric in causes.SPLIT:
        found = causes.split(counts, metric)
        for names_of_parts in (causes.MODEL_PARTS, causes.COMPOSITION_PARTS):
            total = sum(found[name] for name in names_of_parts)
            np.testing.assert_allclose(total, found["gap"], atol=1e-12)


def test_a_gap_of_base_rates_alone_is_no_part_of_the_model():
    found = parts_of(people(40_000, (0.3, 0.5), ((0.2, 0.7), (0.2, 0.7))))
    assert found["base_rates"]["value"] == pytest.approx(0.2 * 0.5, abs=0.01)
    for part in ("positives", "negatives"):
        assert found[part]["low"] < 0 < found[part]["high"]
        assert abs(found[part]["value"]) < 0.01


def test_a_model_that_fails_one_group_is_found_in_sign_and_size():
    """As of labels flipped in training: f's positives are selected at 0.5, not 0.8."""
    table = people(40_000, (0.4, 0.4), ((0.2, 0.5), (0.2, 0.8)))
    found = parts_of(table)
    assert found["positives"]["value"] == pytest.approx(0.4 * 0.3, abs=0.01)
    assert found["base_rates"]["low"] < 0 < found["base_rates"]["high"]
    errors = parts_of(table, causes.ERROR_RATE)
    assert errors["positives"]["value"] == pytest.approx(0.4 * -0.3, abs=0.01)
    assert errors["positives"]["high"] < 0


def test_labels_flipped_in_the_audited_data_look_like_base_rates_as_the_page_says():
    """Alike in truth; of f's positives a share e is labelled negative. Closed form."""
    e, p, tpr, fpr = 0.3, 0.4, 0.7, 0.2
    table = people(80_000, (p, p), ((fpr, tpr), (fpr, tpr)))
    rng = np.random.default_rng(5)
    flipped = (table["sex"] == "f") & (table["y_true"] == 1) & (rng.random(len(table)) < e)
    found = parts_of(table.assign(y_true=table["y_true"].where(~flipped, 0)))
    seen = p * (1 - e)
    noisy_fpr = ((1 - p) * fpr + p * e * tpr) / (1 - seen)
    assert found["gap"] == pytest.approx(0, abs=0.01)
    assert found["base_rates"]["value"] == pytest.approx(
        (p - seen) * (tpr - (fpr + noisy_fpr) / 2), abs=0.01
    )
    assert found["negatives"]["value"] == pytest.approx(
        (1 - (p + seen) / 2) * (fpr - noisy_fpr), abs=0.01
    )
    assert any("nothing in these counts tells which" in line for line in causes.CANNOT)


def test_a_group_that_is_older_has_a_gap_of_composition_alone():
    rng = np.random.default_rng(2)
    n = 40_000
    sex = rng.integers(2, size=n)
    old = rng.random(n) < np.array([0.2, 0.8])[sex]
    y = rng.integers(2, size=n)
    decided = rng.random(n) < np.where(old, 0.6, 0.3)
    table = pd.DataFrame({"sex": np.array(["f", "m"])[sex], "age": np.where(old, "old", "young"),
                          "y_true": y, "y_pred": decided.astype(int)})  # fmt: skip
    found = parts_of(table, attributes=("sex", "age"))
    assert found["strata"] == ["age"]
    assert found["matched"] == 1
    assert found["composition"]["value"] == pytest.approx(0.6 * 0.3, abs=0.01)
    assert found["within"]["low"] < 0 < found["within"]["high"]
    assert found["unmatched"]["value"] == pytest.approx(0, abs=1e-12)


def test_rows_of_one_entity_widen_the_intervals():
    table = people(400, (0.3, 0.5), ((0.2, 0.7), (0.2, 0.7)))
    four = pd.concat([table] * 4, ignore_index=True)
    alone = parts_of(table)["base_rates"]
    same = parts_of(four, entity=np.tile(np.arange(400), 4))["base_rates"]
    naive = parts_of(four)["base_rates"]
    assert same["value"] == pytest.approx(alone["value"])
    assert same["high"] - same["low"] == pytest.approx(alone["high"] - alone["low"], rel=0.15)
    assert naive["high"] - naive["low"] < 0.65 * (alone["high"] - alone["low"])


def test_intervals_of_the_parts_cover_what_they_say():
    """200 tables of 600 rows; the truth of each part is known: 3 standard errors below 95 %."""
    truth = {"base_rates": 0.2 * (0.65 - 0.2), "positives": 0.4 * 0.1, "negatives": 0.0}
    held = dict.fromkeys(truth, 0)
    for seed in range(200):
        found = parts_of(people(600, (0.3, 0.5), ((0.2, 0.6), (0.2, 0.7)), seed=seed))
        for part, value in truth.items():
            held[part] += found[part]["low"] <= value <= found[part]["high"]
    assert min(held.values()) / 200 >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 200)


def test_the_page_says_what_the_parts_are_and_what_cannot_be_told():
    audit = predictions_to_audit(
        tables.people(selection=(0.3, 0.6)), AuditOptions(**tables.OPTIONS)
    )
    page = audit_to_markdown(audit, figure="../figures/audit_fnn.svg")
    section = page.split("## Decomposition of the gaps")[1].split("\n## ")[0]
    assert section.count("**the gap**") == 4  # two attributes, two quantities
    assert "different rates within equal age" in section
    assert causes.CANNOT[0] in section
    assert "](../figures/audit_fnn.svg)" in page


def test_models_without_two_classes_have_no_such_parts():
    audit = predictions_to_audit(tables.numbers(), AuditOptions(**tables.OPTIONS))
    assert audit["causes"] == []
    assert "Decomposition of the gaps" not in audit_to_markdown(audit)
