"""One MLflow run per pipeline and model, in an experiment of its own, and the views that show them.

``facts``
    Parameters, metrics, tags and files of a model, from the run records of a pipeline.
``notes``
    The description of a model run and its table of metrics with intervals.
``delivery``
    A model run becomes an MLflow run.
``views``
    Prepared views of MLflow's run list: one of all models, one per model.
"""

INFRASTRUCTURE = True
