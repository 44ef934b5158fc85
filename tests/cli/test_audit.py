"""`plumbline gate`; tests/standards run `plumbline audit` and `plumbline standards`."""

import yaml

from plumbline import artifacts
from plumbline.cli import main


def test_gate_warns_with_code_0_and_fails_where_warnings_do(tmp_path, capsys, caplog):
    gap = {"attribute": "sex", "metric": "true_positive_rate", "comparison": "difference"}
    rule = {
        "model": "fnn", "gap": gap, "source": "engineering", "owner": "us",
        "rationale": "equal chances", "expires": None,
    }  # fmt: skip
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump({"rules": [rule]}))
    found = {**gap, "value": 0.431, "low": -0.217, "high": 0.829, "n": 9, "detectable": 0.784}
    audit = {"gaps": [{**found, "verdict": "inconclusive"}], "n": 60}
    artifacts.write_json(tmp_path / "reports/audits/fnn.json", audit)
    assert main.main(["gate", "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().err.endswith("gate: 0 passed, 1 warned, 0 failed\n")
    assert main.main(["gate", "--root", str(tmp_path), "--warnings-fail"]) == 8
    assert caplog.messages[-1] == (
        "gate: fnn true_positive_rate difference by sex: the verdict 'inconclusive' is a warning "
        "(engineering, us: equal chances), got 0.431 [-0.217, 0.829], 'inconclusive', n = 9, "
        "detectable 0.784"
    )


def test_gate_judges_the_reports_as_of_a_day_without_the_pipeline(tmp_path, capsys, caplog):
    rule = {
        "model": "fnn", "quantity": "auroc", "min": 0.5, "source": "engineering", "owner": "us",
        "rationale": "better than chance", "expires": "2030-01-31",
    }  # fmt: skip
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump({"rules": [rule]}))
    report = {"metrics": {"auroc": {"value": 0.8, "low": 0.7, "high": 0.9}}, "n": 40}
    artifacts.write_json(tmp_path / "reports/metrics/fnn.json", report)
    assert main.main(["gate", "--root", str(tmp_path), "--on", "2030-01-31"]) == 0
    assert "0.8 [0.7, 0.9], n = 40" in " ".join(capsys.readouterr().err.split())
    assert main.main(["gate", "--root", str(tmp_path), "--on", "2030-02-01"]) == 8
    assert caplog.messages[-1] == (
        "gate: fnn auroc: rule must not be past its expiry, got 2030-01-31 on 2030-02-01; "
        "us must renew or withdraw it"
    )
