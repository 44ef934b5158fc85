"""Portable kernels compute here the bits that other processors computed."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from plumbline.compat import kernels

Record = dict[str, Any]


@pytest.fixture
def folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = root / "benchmarks/kernels"
    monkeypatch.syspath_prepend(str(found))
    monkeypatch.delitem(sys.modules, "digests", raising=False)
    monkeypatch.delitem(sys.modules, "table", raising=False)
    return found


@pytest.fixture
def digests(folder: Path) -> ModuleType:
    import digests

    return digests


@pytest.fixture
def table(folder: Path) -> ModuleType:
    import table

    return table


@pytest.fixture
def records(folder: Path, table: ModuleType) -> list[Record]:
    return table.read(folder)


@pytest.fixture
def committed(records: list[Record], digests: ModuleType) -> Record:
    """A real processor measured with these packages."""
    if not kernels.available():
        pytest.skip("this processor has no AVX2, so that it has no portable kernels")
    here = digests.environment()
    for record in records:
        if not record["emulated"] and here.items() <= record.items():
            return record
    pytest.skip("digests were measured with other versions of Python, packages or the C library")


def test_portable_kernels_compute_here_the_bits_of_another_processor(
    committed: Record, digests: ModuleType, table: ModuleType
) -> None:
    found = digests.digests("portable")
    assert found.keys() == committed["portable"].keys()
    assert table.differences(committed["portable"], found) == []


def test_without_the_pins_a_processor_with_avx512_computes_other_bits(
    committed: Record, digests: ModuleType, table: ModuleType
) -> None:
    if "avx512f" not in kernels.processor().flags:
        pytest.skip("this processor has no instructions above AVX2")
    found = digests.digests("native", ["operations"])
    assert table.differences(found, committed["portable"])


def test_every_measured_processor_has_the_same_portable_bits(
    records: list[Record], table: ModuleType
) -> None:
    first, *others = [record for record in records if "portable" in record]
    assert len(others) >= 4
    for record in others:
        assert table.differences(first["portable"], record["portable"]) == [], record["processor"]


def test_a_changed_digest_is_named(table: ModuleType) -> None:
    one = {"arrays/numpy.exp": "0", "tables/pandas.sum": "1"}
    assert table.differences(one, {**one, "tables/pandas.sum": "2"}) == ["tables/pandas.sum"]
    assert table.differences(one, {"arrays/numpy.exp": "0"}) == []


def test_the_table_of_digests_is_that_of_the_files_beside_it(
    folder: Path, records: list[Record], table: ModuleType
) -> None:
    assert (folder / "DIGESTS.md").read_text() == table.document(records, table.stages(folder))
