"""Put the folds together: ``python pipelines/cross_validate.py``."""

from plumbline import names, stage
from plumbline.runs import dvc_files


def main(run: stage.Run) -> None:
    """Write mean, spread and interval of every model over the folds, and a page of them."""
    from plumbline.artifacts import read_json, write_json, write_text
    from plumbline.studies.cross_validation.parts import Scheme, check_listed
    from plumbline.studies.cross_validation.summary import summarise, summary_to_markdown

    chosen = run.study.cross_validation
    check_listed(dvc_files.items(run.root, "fold"), chosen.folds)
    scheme = Scheme(**chosen.model_dump(exclude={"confidence"}))
    scores = [read_json(names.FOLDS / f"{fold}.json") for fold in range(chosen.folds)]
    summary = summarise(scores, scheme, confidence=chosen.confidence)
    write_json(run.out(names.CROSS_VALIDATION), summary)
    page = names.CROSS_VALIDATION.with_suffix(".md")
    write_text(run.out(page), summary_to_markdown(summary))
    quantity = summary["quantity"]
    run.metrics({f"mean/{quantity}/{k}": m["mean"] for k, m in summary["models"].items()})


if __name__ == "__main__":
    stage.execute(main)
