"""MLflow as a mirror of the journals: the only importer of mlflow.

``store``
    Which store, and how it is made: SQLite at the main work tree, or ``MLFLOW_TRACKING_URI``.
``runs``
    One journal becomes one run.
``models``
    A model folder becomes a LoggedModel that `mlflow.pyfunc.load_model` can restore.
``pipelines``
    The run above the runs of one ``dvc repro`` or experiment.
``references``
    Stages that DVC did not repeat, shown by the runs that made their outputs.
``tags``
    The tags that tell where a run comes from, from a journal or a lock entry.
``run_links``, ``run_files``
    What `plumbline.verify.lineage` checks with a store.
``pruning``
    Old journals removed.
``pages``
    Where the UI shows a pipeline and compares its models.
``fetch``
    Back from a store: tags, params and trace of one run.
``mirror``
    The loop that keeps pace with running stages and survives a dead server.

Importing this package imports none of them; mlflow takes two seconds.
"""

INFRASTRUCTURE = True
