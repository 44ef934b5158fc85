"""Restoring of logged models for MLflow: raw samples in, results out, nothing unpickled.

``mlflow.pyfunc.load_model("models:/<id>")`` and ``mlflow models serve`` find the name of this
module in the ``MLmodel`` file. Columns of the signature are of any type and optional to MLflow:
what is checked is checked here, so that its errors name the rule and are answered with status 400.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.errors import PlumblineError

if TYPE_CHECKING:
    import pandas as pd

    from plumbline.serving.predictor import Predictor


class RawModel:
    """A restored model as MLflow calls it.

    Parameters
    ----------
    predictor : Predictor
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def get_raw_model(self) -> RawModel:
        """Return what ``PyFuncModel.get_raw_model`` gives: this model, without MLflow's checks.

        MLflow looks at each value of a column of any type, and then finds nothing to check.
        """
        return self

    def predict(self, samples: pd.DataFrame, params: Mapping[str, Any] | None = None) -> Any:
        """Return a data frame with a row of results for each raw sample.

        Parameters
        ----------
        samples : DataFrame
            Raw rows of a table, or a column ``image``, ``text`` or ``class``.
        params : mapping, optional
            ``refuse_unseen`` of a table, ``seed`` of a generator.

        Raises
        ------
        mlflow.exceptions.MlflowException
            If a column is missing, there is no row, or a value is unfit; its code is that of an
            invalid parameter value.
        """
        from mlflow.exceptions import MlflowException

        from plumbline.serving.predictor import columns_of

        interface = self._predictor.interface
        given = {name: value for name, value in (params or {}).items() if name in interface.options}
        try:
            return self._predictor.predict(columns_of(samples, interface), **given)
        except PlumblineError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error


def _load_pyfunc(path: str) -> RawModel:
    from plumbline.compat import threads, torchvision

    threads.choose()
    torchvision.install()
    from plumbline.serving.predictor import load

    return RawModel(load(Path(path)))
