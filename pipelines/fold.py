"""Fit and score the classical models on one fold: ``python pipelines/fold.py <fold>``."""

from plumbline import names, stage
from plumbline.runs import dvc_files


def main(run: stage.Run) -> None:
    """Write the values on the fold's held-out rows."""
    from plumbline.artifacts import write_json
    from plumbline.classical.tabular import SvmSize
    from plumbline.studies.cross_validation.parts import Scheme, check_listed
    from plumbline.studies.cross_validation.scoring import fold_scores

    chosen = run.study.cross_validation
    check_listed(dvc_files.items(run.root, "fold"), chosen.folds)
    scheme = Scheme(**chosen.model_dump(exclude={"confidence"}))
    scores = fold_scores(
        names.PREPARED / names.TABULAR,
        scheme,
        int(run.item),
        models=run.params.baseline.tabular,
        svm=SvmSize(**run.params.baseline.svm.model_dump()),
        max_rows=run.params.baseline.max_rows,
        class_weights=run.params.baseline.classification.class_weights,
        seed=run.seed,
    )
    write_json(run.out(names.FOLDS / f"{run.item}.json"), scores)
    quantity = scores["quantity"]
    run.metrics({f"held_out/{quantity}/{k}": m["value"] for k, m in scores["models"].items()})


if __name__ == "__main__":
    stage.execute(main)
