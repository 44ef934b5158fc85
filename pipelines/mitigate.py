"""Try one way of narrowing a gap between groups: ``python pipelines/mitigate.py <method>``."""

import argparse

from plumbline import names, stage


def main(run: stage.Run) -> None:
    """Fit the method and audit its decisions on the test rows."""
    from plumbline.artifacts import write_json
    from plumbline.mitigation import outcome
    from plumbline.mitigation.methods import METHODS, Strengths
    from plumbline.mitigation.problem import read_problem

    name, options, audit = run.item, run.params.mitigate, run.params.audit
    target = run.out(names.MITIGATION / f"{name}.json")
    problem = read_problem(names.PREPARED / names.TABULAR, attribute=options.attribute)
    if isinstance(problem, str):
        write_json(target, outcome.no_outcome(name, problem))
        return
    strengths = Strengths(**options.model_dump(exclude={"attribute"}))
    decided = METHODS[name].fit(problem, strengths, run.seed)
    report = outcome.method_outcome(
        name,
        problem,
        decided,
        confidence=audit.confidence,
        min_group_size=audit.min_group_size,
        min_group_share=audit.min_group_share,
        replicates=audit.bootstrap_replicates,
        seed=run.seed,
    )
    write_json(target, report)
    run.metrics(
        {
            names.metric(names.TEST, names.ACCURACY): report["accuracy"]["value"],
            **{
                f"gap/{report['attribute']}/{metric}": gap["value"]
                for metric, gap in report["gaps"].items()
            },
        }
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", choices=names.MITIGATIONS)
    parser.parse_args()
    stage.execute(main)
