"""The exceptions that plumbline raises on purpose.

::

    PlumblineError            anything a user can cause and mend        exit code 1
    ├── ParamsError           params.yaml is wrong, all faults listed   exit code 2
    ├── DataError             a source, file or value of the data       exit code 3
    ├── ArtifactError         a file that crosses stages                exit code 4
    ├── MetricError           a quantity asked of unfit numbers         exit code 5
    ├── TrainingError         a loss that is not finite, a bad model    exit code 6
    ├── StaleError            code or data changed while a stage ran    exit code 7
    ├── GateError             a threshold of the policy was missed      exit code 8
    ├── DiskError             there is no room for what must be written exit code 9
    └── CatalogError          an unknown model or data set, a bad entry exit code 10

Every message reads ``<where>: <thing> must be <rule>, got <value>; <what to do>``.
Pipelines catch none of them: `plumbline.stage.context` turns them into one line on
standard error, a FAILED run and the exit code above.
"""

from __future__ import annotations

INFRASTRUCTURE = True


class PlumblineError(Exception):
    """Root of the errors a user can cause and mend."""

    exit_code = 1


class ParamsError(PlumblineError):
    """Raised when ``params.yaml`` breaks a rule; lists every fault at once."""

    exit_code = 2


class DataError(PlumblineError):
    """Raised when a data source, a raw file or a value in it is unfit."""

    exit_code = 3


class ArtifactError(PlumblineError):
    """Raised when a file that crosses stages breaks its schema."""

    exit_code = 4


class MetricError(PlumblineError):
    """Raised when a metric is asked of numbers it is not defined for."""

    exit_code = 5


class TrainingError(PlumblineError):
    """Raised when training cannot go on, e.g. at the first non-finite loss."""

    exit_code = 6


class StaleError(PlumblineError):
    """Raised when a dependency changed while its stage was running."""

    exit_code = 7


class GateError(PlumblineError):
    """Raised when a threshold of the policy is missed."""

    exit_code = 8


class DiskError(PlumblineError):
    """Raised when there is no room for what must be written."""

    exit_code = 9


class CatalogError(PlumblineError):
    """Raised when the catalogue is wrong, or has no model or data set of a name."""

    exit_code = 10
