"""The run of a study: its rows as a table, and the verdicts on its claims when they are judged.

``delivery``
    From the record of a stage to the run of the study.
"""

INFRASTRUCTURE = True
