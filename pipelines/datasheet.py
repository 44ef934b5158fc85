"""Write a data set's datasheet and Croissant file: ``python pipelines/datasheet.py <dataset>``."""

import argparse
from pathlib import Path

from plumbline import names, stage


def main(run: stage.Run) -> None:
    """Write both documents from the prepared data, its audit and the owner's answers."""
    from plumbline.artifacts import read_json, write_json, write_text
    from plumbline.reporting.data import croissant, datasheet

    folder, owner = names.PREPARED / run.item, run.params.card
    schema = read_json(folder / "schema.json")
    audit = read_json(names.DATA_AUDITS / f"{run.item}.json")
    sections = datasheet.answer_questions(
        schema,
        audit,
        owner=datasheet.read_answers(Path(datasheet.ANSWERS), schema["source"]),
        maintainer=owner.owner,
        contact=owner.contact,
    )
    page = datasheet.datasheet_to_markdown(schema, sections)
    write_text(run.out(names.DATASHEETS / f"{run.item}.md"), page)
    described = croissant.describe(folder, audit)
    write_json(run.out(names.DATASHEETS / f"{run.item}.croissant.json"), described)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", choices=names.DATASETS)
    parser.parse_args()
    stage.execute(main)
