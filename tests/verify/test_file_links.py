"""Links of a lock that need no store."""

from plumbline.runs.dvc_files import LockEntry
from plumbline.runs.findings import LOCK_KERNELS, LineageReport
from plumbline.verify import file_links

PORTABLE, NATIVE = "portable x86-64-v3", "native GenuineIntel avx2"


def check(**kernels: str | None) -> LineageReport:
    report = LineageReport()
    entries = {
        name: LockEntry("cmd", {}, {"kernels": used} if used else {}, {})
        for name, used in kernels.items()
    }
    file_links.check_kernels(entries, report)
    return report


def test_one_kind_of_kernels_is_counted_by_stage_and_a_lock_without_passes():
    assert check(a=PORTABLE, b=PORTABLE).passed == {LOCK_KERNELS: 2}
    assert check(a=PORTABLE, b=PORTABLE).breaks == []
    assert check(a=None).breaks == []


def test_a_lock_made_by_two_kinds_of_kernels_names_both_and_their_stages():
    (found,) = check(a=PORTABLE, b=NATIVE, c=PORTABLE).breaks
    assert (found.where, found.what) == (LOCK_KERNELS, "kernels")
    assert found.note == (
        "must be the same for all stages, got 'portable x86-64-v3' for a, c; "
        "'native GenuineIntel avx2' for b; `plumbline repro -P` makes them the same"
    )
