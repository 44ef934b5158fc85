"""Judge the claims of a laboratory, and write the pages of its studies."""

from plumbline import stage


def main(run: stage.Run) -> None:
    """Write claims, page and figures of every study from its rows."""
    from plumbline.artifacts import read_table
    from plumbline.studies.framework import pages, study, verdicts

    studies = study.of_lab(run.spec.lab)
    rows = {name: read_table(each.folder / study.ROWS)[0] for name, each in studies.items()}
    judged = pages.judge_studies(studies, rows, confidence=run.study.claims.confidence)
    for name, document in judged.items():
        each = studies[name]
        pages.write_study(each, rows[name], document, lambda at, e=each: run.out(e.folder / at))
    found = [claim["verdict"] for each in judged.values() for claim in each["claims"]]
    run.metrics({f"claims/{verdict}": found.count(verdict) for verdict in verdicts.VERDICTS})


if __name__ == "__main__":
    stage.execute(main)
