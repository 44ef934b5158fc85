"""Notes beside the numbers of a data audit: assumptions and limits."""

from __future__ import annotations

from plumbline import artifacts, names
from plumbline.data_audit.dataset import AuditedDataset
from plumbline.data_audit.duplicates import MIN_FEATURES
from plumbline.data_audit.options import DataAuditOptions


def audit_notes(
    dataset: AuditedDataset,
    *,
    options: DataAuditOptions,
    rows_examined: int,
    reference: bool,
    missing: bool,
) -> list[str]:
    """Return the notes.

    Parameters
    ----------
    dataset : AuditedDataset
    options : DataAuditOptions
    rows_examined : int
        Rows among which near duplicates, proxies and disputed labels were looked for.
    reference, missing : bool
        Whether a population was declared, and whether a feature is missing anywhere.
    """
    schema, design = dataset.schema, dataset.design
    labelled = bool(dataset.labels[1])
    looked = "near duplicates, proxies and disputed labels"
    looked = looked if labelled else "near duplicates and proxies"
    unit = "rows" if design.entity is None else "entities"
    notes = [f"Split: {schema.about['split'].rstrip('.')}."] if "split" in schema.about else []
    notes += artifacts.merged_class_notes(schema.about)
    notes += artifacts.absent_group_notes(schema.about)
    notes += [
        f"Groups with fewer than {options.min_group_size} {unit} are not compared (insufficient)"
        + ("." if options.compare_unknown else f", nor are rows of an {names.UNKNOWN} attribute."),
        "A gap counts as a difference if the interval of at least one pair of groups excludes 0. "
        "The intervals of all comparisons of an attribute and section are simultaneous "
        "(Bonferroni).",
    ]
    if not reference:
        notes.append(
            "No reference population was declared, so the audit cannot say whether a group is "
            "under-represented compared with the population in which a model would be used."
        )
    if rows_examined < len(dataset.table):
        notes.append(
            f"{looked.capitalize()} were looked for in a sample of "
            f"{rows_examined} of {len(dataset.table)} rows, chosen by a hash of their ids."
        )
    if not labelled:
        notes.append("Text has no labels, so label rates and disputed labels are not reported.")
    unmarked = artifacts.unmarked_value_notes(schema.about)
    notes += unmarked
    if schema.dataset == names.TABULAR and not (missing or unmarked):
        notes.append("No feature of the table has missing values.")
    if 0 < len(schema.features) < MIN_FEATURES:
        notes.append(
            f"Near duplicates were not looked for: rows of fewer than {MIN_FEATURES} features are "
            "nearly equal by chance."
        )
    if design.entity is not None:
        notes.append(
            "Rows of one entity are not independent: intervals use the effective number of rows "
            "(variance by linearisation over entities, Korn and Graubard 1998), group sizes count "
            "entities, folds and permutations keep an entity together, and rows of the same entity "
            "are not counted as neighbours of a label."
        )
    if design.weight is not None:
        notes.append(
            "Shares are weighted; n counts rows. Weights are ignored by the search for "
            f"{looked.removeprefix('near ')}."
        )
    notes.append(
        "Proxy features are looked for with a random forest; finding none does not prove that "
        "there are none."
    )
    if labelled:
        notes.append(
            "A disputed label differs from that of most of its nearest neighbours: a reason to "
            "check it, no proof of an error."
        )
    return notes
