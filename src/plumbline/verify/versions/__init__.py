"""Comparison of two versions of the pipeline's results: the command ``plumbline compare``.

``find``
    A git revision, DVC experiment, MLflow run or work tree becomes a `Version`.
``compare``
    Parameters that differ, paired differences of metrics, gaps and verdicts.
``show``
    The comparison as tables of a terminal, Markdown or JSON.
"""

INFRASTRUCTURE = True
