"""Write a model's card from its files: ``python pipelines/card.py <model>``."""

from plumbline import names, stage


def main(run: stage.Run) -> None:
    """Write the card and the references of its numbers, and check each of them."""
    from plumbline.artifacts import write_json, write_text
    from plumbline.errors import ArtifactError
    from plumbline.reporting.cards.card import render_card
    from plumbline.reporting.cards.check import REFERENCES, check_cards

    options = run.params.card
    text, references = render_card(
        run.item,
        root=run.root,
        owner=options.owner,
        contact=options.contact,
        licence=options.licence,
    )
    path = run.out(names.CARDS / f"{run.item}.md")
    write_text(path, text)
    write_json(run.out(names.CARDS / f"{run.item}{REFERENCES}"), references)
    if faults := check_cards(run.root, [path])[1]:
        raise ArtifactError("\n".join(faults))


if __name__ == "__main__":
    stage.execute(main)
