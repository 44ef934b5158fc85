"""Write a model's card from its files: ``python pipelines/card.py <model>``."""

from plumbline import names, stage


def main(run: stage.Run) -> None:
    """Write the card, after looking every number in it up again."""
    from plumbline.artifacts import write_text
    from plumbline.errors import ArtifactError
    from plumbline.reporting.cards.card import check_card, render_card

    options = run.params.card
    text = render_card(
        run.item,
        root=run.root,
        owner=options.owner,
        contact=options.contact,
        licence=options.licence,
    )
    path = run.out(names.CARDS / f"{run.item}.md")
    write_text(path, text)
    if faults := check_card(path, run.root):
        raise ArtifactError("\n".join(f"{path.name}: {fault}" for fault in faults))


if __name__ == "__main__":
    stage.execute(main)
