"""`plumbline gate`; tests/standards run `plumbline audit` and `plumbline standards`."""

import yaml

from plumbline import artifacts
from plumbline.cli import main


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
