"""One MLflow run per pipeline and model, in an experiment of its own, and the views that show them.

``facts``
    Parameters, metrics, tags and files of a model, from the run records of a pipeline.
``shown``
    The tags and description of a model run and its table of metrics with intervals.
``short_names``
    Names of parameters without their blocks.
``delivery``
    A model run becomes an MLflow run.
``fetch``
    Back from a store: the models that a run shows.
``views``
    Prepared views of MLflow's run list: one of all models, one per model.
"""

INFRASTRUCTURE = True
