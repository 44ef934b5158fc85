"""Write the page of a laboratory: ``python pipelines/study_report.py``."""

from pathlib import Path

from plumbline import names, stage


def main(run: stage.Run) -> None:
    """Write ``reports/<lab>.html``, after checking every number in it."""
    from plumbline.artifacts import write_text
    from plumbline.errors import ArtifactError
    from plumbline.reporting.references import check_html
    from plumbline.reporting.site.lab_page import render_lab

    path: Path = names.SITE.with_name(f"{run.spec.lab}.html")
    text = render_lab(run.root, run.spec.lab, title=run.params.report.title)
    if faults := check_html(text, run.root):
        raise ArtifactError("\n".join(f"{path.name}: {fault}" for fault in faults))
    write_text(run.out(path), text)


if __name__ == "__main__":
    stage.execute(main)
