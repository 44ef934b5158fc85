"""Narrow a gap of a logistic regression in one way: ``python pipelines/mitigate.py <method>``."""

from plumbline import names, stage


def main(run: stage.Run) -> None:
    """Fit the method at each of its strengths and audit its decisions on the test rows."""
    from plumbline.audit.options import AuditOptions, declared_margins
    from plumbline.mitigation.files import write_outcome, write_reason
    from plumbline.mitigation.inprocessing.regression import fit_regression
    from plumbline.mitigation.problem import read_problem
    from plumbline.params.policy import load_policy

    model, name, options = names.LOGISTIC_REGRESSION, run.item, run.study.mitigate
    problem = read_problem(names.PREPARED / names.TABULAR, attribute=options.attribute)
    if isinstance(problem, str):
        write_reason(model, name, problem, out=run.out)
        return
    how = {"rounds": options.rounds, "seed": run.seed}
    values = write_outcome(
        model,
        name,
        problem,
        {
            s: fit_regression(name, problem, strength=s, **how)
            for s in options.strengths(model, name)
        },
        reference=fit_regression("none", problem, strength=1.0, **how).decision,
        options=AuditOptions(
            **run.params.audit.options(),
            margins=declared_margins(load_policy().margins),
            seed=run.seed,
        ),
        out=run.out,
    )
    run.metrics(values)


if __name__ == "__main__":
    stage.execute(main)
