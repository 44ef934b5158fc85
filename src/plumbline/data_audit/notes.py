"""What has to be said beside the numbers of a data audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from plumbline import names
from plumbline.data_audit import duplicates

if TYPE_CHECKING:
    from plumbline.data_audit.dataset import Subject
    from plumbline.data_audit.shares import Rule


def audit_notes(
    subject: Subject, *, rule: Rule, looked_at: int, reference: bool, missing: bool
) -> Sequence[str]:
    """Return the notes.

    Parameters
    ----------
    subject : Subject
    rule : Rule
    looked_at : int
        Rows that near duplicates, proxies and disputed labels were looked for among.
    reference, missing : bool
        Whether a population was declared, and whether a feature is missing anywhere.
    """
    schema, design = subject.schema, subject.design
    unit = "rows" if design.entity is None else "entities"
    notes = [
        f"A group needs {rule.min_group_size} {unit} and {100 * rule.min_group_share:g} % of them "
        "to be compared; smaller ones are called insufficient.",
        "A gap is a difference if the interval of some pair of groups excludes equality when all "
        "comparisons of that attribute and section hold together (Bonferroni).",
    ]
    if not reference:
        notes.append(
            "No reference population was declared, so nothing is said about whether a group is "
            "represented as it is where a model would be used; shares alone cannot tell."
        )
    if looked_at < len(subject.table):
        notes.append(
            f"Near duplicates, proxies and disputed labels were looked for among {looked_at} of "
            f"{len(subject.table)} rows, chosen by a hash of their ids."
        )
    if not subject.labels[1]:
        notes.append("Text carries no label, so label rates and disputed labels do not exist.")
    if schema.dataset == names.TABULAR and not missing:
        notes.append("No feature of the table is missing in any row.")
    if 0 < len(schema.features) < duplicates.MIN_FEATURES:
        notes.append(
            f"Near duplicates were not looked for: rows of fewer than {duplicates.MIN_FEATURES} "
            "features are nearly equal by chance."
        )
    if design.entity is not None:
        notes.append(
            "Rows of one entity do not vary independently: "
            "intervals are those of the effective number of rows (variance by linearisation over "
            "entities, Korn and Graubard 1998), sizes of groups are entities, a proxy's folds and "
            "shuffles keep an entity whole, and its own rows do not dispute a label."
        )
    if design.weight is not None:
        notes.append(
            "Shares count each row by its weight; n counts rows. Duplicates, proxies and which "
            "labels are disputed know no weights."
        )
    notes += [
        "A proxy is found by a random forest; that it finds none does not prove there is none.",
        "A disputed label is one that most of its nearest neighbours contradict: a reason to look, "
        "no proof of an error.",
    ]
    return notes
