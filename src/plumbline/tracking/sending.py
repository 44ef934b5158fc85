"""Sending of values to one MLflow run: what the store refuses is named, the rest arrives.

Values are sent in batches. A batch that fails is halved until the values that the store does not
take stand alone. Before that the run is written to: if the store takes nothing at all it is down,
and the whole delivery is tried again later; if it no longer takes this run, the run is refused.
"""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from plumbline.errors import PlumblineError
from plumbline.runs import log_lines
from plumbline.tracking import tags
from plumbline.tracking.store import Store

T = TypeVar("T")

REFUSED = "plumbline.refused"  # tag: number and first names of what the store refused
_SHOWN = 10  # names in the tag

# Codes of a store that is up, but does not take what was sent.
_REFUSALS = frozenset(
    {
        "INVALID_PARAMETER_VALUE", "INVALID_STATE", "BAD_REQUEST", "NOT_FOUND", "NOT_IMPLEMENTED",
        "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "ENDPOINT_NOT_FOUND",
    }
)  # fmt: skip
# Of a file whose name the store's file system cannot have, or has for another kind of file.
_REFUSED_FILES = frozenset(
    {
        errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.EEXIST, errno.ENOENT,
        errno.ENOTDIR, errno.EISDIR,
    }
)  # fmt: skip
_REFUSED_STATUS = frozenset({400, 404, 405, 409, 411, 413, 414, 415, 422, 431})  # of HTTP


class RunRefusedError(Exception):
    """The store is up and takes other runs, but not this one: somebody has deleted it."""


class Sending:
    """The sending of one run.

    Parameters
    ----------
    store : Store
    run_id : str
    mark : tuple of str
        A tag of the run and its value; written again to see whether the store takes anything.
    refused : mapping of str to str
        What was refused before, with the reason; it is not sent again.

    Attributes
    ----------
    refused : dict of str to str
        Name of each value that the store does not take (``param seed``), and the reason.
    """

    def __init__(
        self, store: Store, run_id: str, mark: tuple[str, str], refused: Mapping[str, str]
    ) -> None:
        self.refused = dict(refused)
        self.run_id = run_id
        self._store = store
        self._mark = mark

    def log(
        self,
        *,
        metrics: Sequence[Any] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """Send metrics (MLflow's entities), params and tags; None as a tag's value is left out.

        Raises
        ------
        RunRefusedError
        """
        from mlflow.entities import Param, RunTag

        parts: dict[str, list[Any]] = {
            "params": [Param(key, value) for key, value in (params or {}).items()],
            "metrics": list(metrics),
            "tags": [RunTag(k, _text(v)) for k, v in (tags or {}).items() if v is not None],
        }
        if not self.refused:
            try:  # all in one call, which the client cuts into batches
                self._store.client.log_batch(self.run_id, **parts)
                return
            except Exception:
                self.check_run()
        for kind, items in parts.items():
            self.values(_label, items, functools.partial(self._log_batch, kind))

    def _log_batch(self, kind: str, items: Sequence[Any]) -> None:
        self._store.client.log_batch(self.run_id, **{kind: items})

    def values(
        self, label: Callable[[T], str], items: Sequence[T], call: Callable[[Sequence[T]], object]
    ) -> None:
        """Send items by ``call``, in halves where that fails.

        Raises
        ------
        RunRefusedError
        """
        items = [item for item in items if tags.fit(label(item)) not in self.refused]
        if not items:
            return
        try:
            call(items)
            return
        except Exception:
            self.check_run()
        if len(items) > 1:
            middle = len(items) // 2
            self.values(label, items[:middle], call)
            self.values(label, items[middle:], call)
            return
        try:  # once more: the store may have been away for a moment
            call(items)
        except Exception as error:
            self.check_run()
            self.refuse(label(items[0]), error)

    def check_run(self) -> None:
        """Check that the store takes anything of this run.

        Raises
        ------
        RunRefusedError
            If somebody has deleted the run. Any other error is that of a store that is down.
        """
        try:
            self._store.client.set_tag(self.run_id, *self._mark)
        except Exception as error:
            if refuses(error) and is_open(self._store):
                raise RunRefusedError(f"{type(error).__name__}: {error}") from error
            raise

    def part(self, name: str, call: Callable[[], object]) -> None:
        """Send one thing that has no halves; a store that is down, or a full disk, is an error."""
        if tags.fit(name) in self.refused:
            return
        try:
            call()
        except Exception as error:
            if not refuses(error):
                raise
            self.check_run()
            self.refuse(name, error)

    def refuse(self, name: str, error: Exception) -> None:
        """Note that the store does not take something."""
        said = log_lines.without_password(" ".join(str(error).split()))
        self.refused[tags.fit(name)] = f"{type(error).__name__}: {said[:200]}"

    def finish(self, status: str, ended: int) -> None:
        """Name what was refused in a tag, and end the run.

        Raises
        ------
        RunRefusedError
        """
        try:
            if self.refused:
                self._store.client.set_tag(self.run_id, REFUSED, summary(self.refused))
            self._store.client.set_terminated(self.run_id, status, ended)
        except Exception:
            self.check_run()
            raise


def refuses(error: Exception) -> bool:
    """Say whether an error means that a store which is up does not take what was sent."""
    if (code := getattr(error, "error_code", None)) is not None:
        return code in _REFUSALS
    if (response := getattr(error, "response", None)) is not None:
        return response.status_code in _REFUSED_STATUS
    if isinstance(error, OSError):
        return error.errno in _REFUSED_FILES
    # The last three: a report of another form.
    return isinstance(error, PlumblineError | ValueError | TypeError | AttributeError | LookupError)


def is_open(store: Store) -> bool:
    """Say whether the experiment takes runs; a deleted one is restored at the next connection."""
    return bool(store.client.get_experiment(store.experiment).lifecycle_stage == "active")


def answers(store: Store) -> bool:
    """Say whether the store is up and its experiment takes runs."""
    try:
        return is_open(store)
    except Exception:  # whatever a store or its network can raise
        return False


def summary(refused: Mapping[str, str]) -> str:
    """Return the number of refused values and the first names in their alphabetical order.

    Examples
    --------
    >>> summary({"param seed": "INVALID_PARAMETER_VALUE"})
    '1: param seed'
    """
    more = ", …" if len(refused) > _SHOWN else ""
    return f"{len(refused)}: {', '.join(sorted(refused)[:_SHOWN])}{more}"


def _text(value: Any) -> str:
    return tags.shorten(str(value))


def _label(item: Any) -> str:
    kind = type(item).__name__.removeprefix("Run").lower()
    step = f" at step {item.step}" if kind == "metric" else ""
    return f"{kind} {item.key}{step}"
