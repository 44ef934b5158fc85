"""Run a study of a laboratory: ``python pipelines/study.py <study>``."""

from pathlib import Path

from plumbline import stage
from plumbline.runs import log_lines


def main(run: stage.Run) -> None:
    """Write the rows of the study: one per setting and seed."""
    from plumbline.artifacts import write_table
    from plumbline.studies.framework import rows

    lab, study = run.spec.lab, run.spec.name
    options = getattr(run.study, study)
    with log_lines.bar(study) as progress:
        found = rows.run(lab, study, options, seed=run.seed, progress=progress)
    write_table(run.out(Path(run.spec.outs[0])), found, {"study": study, "seed": run.seed})


if __name__ == "__main__":
    stage.execute(main)
