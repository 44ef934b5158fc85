"""Hold the reports against the policy of ``params.yaml``: ``python pipelines/gate.py``."""

import logging

from plumbline import names, stage

log = logging.getLogger(__name__)


def main(run: stage.Run) -> None:
    """Write the outcome of every rule, or fail naming each rule that was missed."""
    from plumbline import gate
    from plumbline.artifacts import read_json, write_json
    from plumbline.errors import GateError

    metrics, audits = (
        {path.stem: read_json(path) for path in sorted(folder.glob("*.json"))}
        for folder in (names.METRICS_DIR, names.AUDITS)
    )
    rules = [rule.model_dump(mode="json") for rule in run.params.gate.rules]
    report = gate.check_rules(rules, metrics=metrics, audits=audits)
    if missed := gate.failure(report):
        raise GateError(missed)
    write_json(run.out(names.GATE_REPORT), report)
    log.info("gate: all %d rules are kept", len(rules))


if __name__ == "__main__":
    stage.execute(main)
