"""Copies of run records in MLflow; the only package that imports mlflow.

``store``
    Which store, and how it is made: SQLite at the main work tree, or ``MLFLOW_TRACKING_URI``.
``runs``
    Delivery of a run record as an MLflow run.
``models``
    A model folder becomes a LoggedModel that `mlflow.pyfunc.load_model` can restore.
``pipelines``
    The run above the runs of one ``dvc repro`` or experiment.
``model_runs``
    One run per pipeline and model, and prepared views that compare them.
``references``
    Stages that DVC did not repeat, shown by the runs that made their outputs.
``tags``
    Tags with the origin of a run, from its record or a lock entry.
``run_links``, ``run_files``
    Checks of `plumbline.verify.lineage` that need a store.
``pruning``
    Removal of old run records.
``pages``
    Where the UI shows a pipeline and compares its models.
``fetch``
    Back from a store: tags, params and trace of one run.
``sync``
    The loop that keeps pace with running stages and survives a dead server.

Importing this package imports none of them; mlflow takes two seconds.
"""

INFRASTRUCTURE = True
