"""MLflow's model registry: versions of models that pass the gate, and which of them is champion.

``evidence``
    Reports of a model as ``dvc.lock`` records them, and what the gate says of them.
``description``
    What MLflow shows of a version: description and tags.
``registry``
    Registered models of a store: versions by content, aliases, earlier champions.
``register``
    The model of the present ``dvc.lock`` becomes a version.
``fetch``
    Back from a store: the reports attached to a version.
"""

INFRASTRUCTURE = True
