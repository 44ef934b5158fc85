"""Write audits in the form that standards ask for: ``python pipelines/standards.py``."""

from plumbline import names, stage


def main(run: stage.Run) -> None:
    """Write each model's worksheets as JSON and as a page, and one bill of materials."""
    from plumbline.artifacts import read_json, write_json, write_text
    from plumbline.params.policy import load_policy
    from plumbline.standards import build
    from plumbline.standards.document import worksheets_to_markdown
    from plumbline.standards.worksheets import Categories

    options = run.study.standards
    categories = Categories(options.sex, options.race, options.unknown)
    rules = [rule.model_dump(mode="json") for rule in load_policy().rules]
    models = build.audited_models(run.root)
    for model in models:
        sheets = build.model_worksheets(
            run.root, model, categories=categories, rules=rules, owner=run.params.card.owner
        )
        target = run.out(names.STANDARDS / f"{model}.json")
        write_json(target, sheets)
        text = worksheets_to_markdown(read_json(target), title=f"Compliance worksheets of {model}")
        write_text(run.out(names.STANDARDS / f"{model}.md"), text)
    bill = build.pipeline_bill(run.root, models, licence=run.params.card.licence)
    write_json(run.out(names.STANDARDS / build.BILL), bill)


if __name__ == "__main__":
    stage.execute(main)
