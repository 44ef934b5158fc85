"""The section of the report page about the data: one audit per prepared data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from plumbline import catalog, names
from plumbline.reporting.data.audit_page import data_audit_metrics, tally
from plumbline.reporting.figures.forest import audit_panels
from plumbline.reporting.references import Book, Reference
from plumbline.reporting.rendering import words
from plumbline.reporting.site.figures import Drawing, drawing


@dataclass
class DataView:
    """One data set as the page shows it."""

    name: str
    title: str
    n: Reference
    attributes: list[str]
    tally: dict[str, int]
    leaked: list[tuple[str, Reference]]
    proxies: list[tuple[str, Reference, Reference, str]]
    confidence: Reference
    injected_bias: list[str]
    datasheet: bool
    drawings: list[Drawing]


def data_views(book: Book) -> list[DataView]:
    """Return the audited data sets in the order of the catalogue."""
    found = []
    for name in catalog.datasets():
        file = names.DATA_AUDITS / f"{name}.json"
        if not book.has(file):
            continue
        audit = book.read(file)
        about = book.read(names.PREPARED / name / "schema.json")["about"]
        found.append(
            DataView(
                name=name,
                title=about["title"],
                n=book.at(file, "n"),
                attributes=[words(attribute) for attribute in audit["attributes"]],
                tally=tally(audit),
                leaked=[
                    (kind, book.at(file, "duplicates", kind, "count")) for kind in ("exact", "near")
                ],
                proxies=[_proxy(book, audit, i) for i in range(len(audit["proxies"]))],
                confidence=book.at(file, "confidence", form="percent"),
                injected_bias=list(audit["injected_bias"] or []),
                datasheet=book.has(names.DATASHEETS / f"{name}.md"),
                drawings=[
                    drawing(
                        audit_panels(audit, [metric]),
                        name=f"data-{name}-{number}",
                        caption=f"{about['title']}: {words(metric)} by group.",
                    )
                    for number, metric in enumerate(data_audit_metrics(audit))
                ],
            )
        )
    return found


def _proxy(book: Book, audit: Any, i: int) -> tuple[str, Reference, Reference, str]:
    file = names.DATA_AUDITS / f"{audit['dataset']}.json"
    proxy = audit["proxies"][i]
    value, chance = (book.at(file, "proxies", i, key) for key in ("value", "chance_level"))
    return words(proxy["attribute"]), value, chance, proxy["verdict"]
