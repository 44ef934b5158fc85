"""Hold the reports against the policy of ``policy.yaml``: ``python pipelines/gate.py``."""

import datetime
import logging

from plumbline import names, stage

log = logging.getLogger(__name__)


def main(run: stage.Run) -> None:
    """Write what was found for every rule, or fail naming each rule that is missed or expired."""
    from plumbline import gate
    from plumbline.artifacts import write_json
    from plumbline.errors import GateError
    from plumbline.params.policy import load_policy
    from plumbline.reporting.gate_table import show_gate

    rules = [rule.model_dump(mode="json") for rule in load_policy().rules]
    report = gate.check_rules(rules, gate.read_reports(run.root))
    today = datetime.date.today()
    judged = gate.judgements(report, today)
    show_gate(judged, today)
    if failed := gate.failure(judged):
        raise GateError(failed)
    write_json(run.out(names.GATE_REPORT), report)  # no word of today: it is the same tomorrow


if __name__ == "__main__":
    stage.execute(main)
