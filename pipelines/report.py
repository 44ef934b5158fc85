"""Write the report page from files: ``python pipelines/report.py``."""

from plumbline import names, stage


def main(run: stage.Run) -> None:
    """Write the page, after looking every number in it up again."""
    from plumbline.artifacts import write_text
    from plumbline.errors import ArtifactError
    from plumbline.reporting.references import check_html
    from plumbline.reporting.site.page import render_site

    text = render_site(run.root, title=run.params.report.title)
    if faults := check_html(text, run.root):
        raise ArtifactError("\n".join(f"{names.SITE.name}: {fault}" for fault in faults))
    write_text(run.out(names.SITE), text)


if __name__ == "__main__":
    stage.execute(main)
