"""The policy that a merge must keep: rules on reported numbers, with source, owner and dates.

What was found does not depend on the day: `check_rules` makes the tracked report from the reports
alone. What follows from it does: `judgements` holds rules and waivers against a date, for the exit
code and the screen only.
"""

from plumbline.gate.findings import check_rules, gap_name, is_by
from plumbline.gate.judgements import (
    EXPIRED,
    FAIL,
    IDLE,
    PASS,
    WAIVED,
    WARN,
    Judgement,
    counts,
    failure,
    found_value,
    judgements,
    wanted,
    warned,
)
from plumbline.gate.reports import Reports, read_reports

__all__ = [
    "EXPIRED", "FAIL", "IDLE", "PASS", "WAIVED", "WARN", "Judgement", "Reports", "check_rules",
    "counts", "failure", "found_value", "gap_name", "is_by", "judgements", "read_reports", "wanted",
    "warned",
]  # fmt: skip
