"""Narrow a gap of the FNN in one way: ``python pipelines/mitigate_fnn.py <method>``."""

from dataclasses import replace

from plumbline import names, stage


def main(run: stage.Run) -> None:
    """Fit the network anew where the method asks for it; audit its decisions on the test rows."""
    from plumbline.audit.options import AuditOptions, declared_margins
    from plumbline.inference.classify import predict_classifier
    from plumbline.mitigation.files import write_outcome, write_reason
    from plumbline.mitigation.methods import METHODS, Scores, decide, plain
    from plumbline.mitigation.preprocessing.weights import plan_settings, training_plan
    from plumbline.mitigation.problem import read_problem
    from plumbline.params.policy import load_policy

    model, name, options = names.FNN, run.item, run.study.mitigate
    data = names.PREPARED / names.TABULAR
    problem = read_problem(data, attribute=options.attribute)
    if isinstance(problem, str):
        write_reason(model, name, problem, out=run.out)
        return

    def scores(folder):
        tables = [predict_classifier(folder, data, split=s) for s in (names.VAL, names.TEST)]
        return Scores(*(table.scores()[:, 1] for table in tables), tables[0].decision)

    tried, plain_scores = {}, scores(names.MODEL_DIR / model)
    for strength in options.strengths(model, name):
        found, settings = plain_scores, {}
        if METHODS[name].trains and strength:  # 0 is the plain fit, bit by bit
            from plumbline.training.recipes.mitigation import TrainingMitigation
            from plumbline.training.recipes.tables import fit_fnn

            work = run.work / f"strength-{strength:g}"
            # The draws are those of train@fnn: what differs is the method alone.
            seed = stage.derive_seed(run.params.seed, "train@fnn")
            sink = None if tried else run.metrics  # of the setting alone
            context = replace(run.fit, work=work, seed=seed, sink=sink)
            rate = options.adversary_lr
            plan = training_plan(name, problem, strength, adversary_lr=rate, seed=run.seed)
            settings = plan_settings(len(problem.train), plan)
            plan = TrainingMitigation(**plan)
            fitted = fit_fnn(run.params.train_fnn, data=data, context=context, mitigation=plan)
            fitted.save(work / "model")
            found = scores(work / "model")
        decided = decide(name, problem, found, strength, run.seed)
        tried[strength] = replace(decided, settings=decided.settings | settings)
    measured = AuditOptions(
        **run.params.audit.options(), margins=declared_margins(load_policy().margins), seed=run.seed
    )
    reference = plain(plain_scores.test, threshold=plain_scores.threshold).decision
    how = {"reference": reference, "options": measured, "out": run.out}
    run.metrics(write_outcome(model, name, problem, tried, **how))


if __name__ == "__main__":
    stage.execute(main)
