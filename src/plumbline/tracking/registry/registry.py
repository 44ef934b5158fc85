"""Registered models of a store: versions by their content, aliases, and earlier champions.

The alias ``champion`` says which version is in use. The versions that had it before are a tag of
the registered model, so that each of them can come back, again and again and without a network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from plumbline.errors import ArtifactError, PlumblineError
from plumbline.runs import log_lines, record_files
from plumbline.tracking import sending, store
from plumbline.tracking.store import Store

CANDIDATE, CHAMPION, PREVIOUS = "candidate", "champion", "previous"
_CHAMPIONS = "plumbline.champions"  # tag of a registered model: JSON list of versions, newest last
_MOST = 200  # champions that are remembered: the tag has an end
_NAME = re.compile(r"[\w. -]{1,200}")


class Registry:
    """The registry of an open store.

    Parameters
    ----------
    opened : Store

    Attributes
    ----------
    store : Store
    """

    def __init__(self, opened: Store) -> None:
        self.store = opened

    def versions(self, name: str) -> list[Any]:
        """Return every version of a registered model, oldest first; none if there is no such."""
        found: list[Any] = []
        token = None
        while True:
            page = self.store.client.search_model_versions(
                f"name = '{name}'", max_results=1000, page_token=token
            )
            found += page
            token = page.token
            if not token:
                return sorted(found, key=lambda one: int(one.version))

    def aliases(self, name: str) -> dict[str, int]:
        """Return the version of each alias of a registered model; none if there is no such."""
        return {alias: int(version) for alias, version in self._model(name)["aliases"].items()}

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Give a version an alias; another version loses it."""
        self.store.client.set_registered_model_alias(name, alias, str(version))

    def remove_alias(self, name: str, alias: str) -> None:
        """Take an alias from the version that has it, if one has."""
        if alias in self.aliases(name):
            self.store.client.delete_registered_model_alias(name, alias)

    def earlier_champions(self, name: str) -> list[int]:
        """Return the versions that were champion before the present one, the latest last.

        Versions that somebody has deleted are left out.
        """
        model = self._model(name)
        champions, current = _parsed(model["tags"].get(_CHAMPIONS, "[]")), self.champion(name)
        if champions and champions[-1] == current:
            champions.pop()
        there = {int(one.version) for one in self.versions(name)}
        return [version for version in champions if version in there and version != current]

    def champion(self, name: str) -> int | None:
        """Return the version that is champion, None if none is."""
        return self.aliases(name).get(CHAMPION)

    def make_champion(self, name: str, version: int) -> None:
        """Let a version follow the champion."""
        current = self.champion(name)
        before = [*self.earlier_champions(name), *([current] if current is not None else [])]
        self._put(name, version, before)

    def bring_back(self, name: str) -> int:
        """Make the champion before the present one champion again; return its version.

        Raises
        ------
        ArtifactError
            If there was none.
        """
        before = self.earlier_champions(name)
        if not before:
            current = self.champion(name)
            got = "no champion" if current is None else f"version {current} as the only one"
            raise ArtifactError(
                f"promote: model {name!r} must have had a champion before, got {got}; nothing is "
                "changed"
            )
        self._put(name, before[-1], before[:-1])
        return before[-1]

    def _put(self, name: str, version: int, before: list[int]) -> None:
        """Write the champion and those before; the alias first, for it is what users load."""
        before = [one for one in before if one != version][-_MOST:]
        self.set_alias(name, CHAMPION, version)
        self.store.client.set_registered_model_tag(name, _CHAMPIONS, json.dumps([*before, version]))
        if before:
            self.set_alias(name, PREVIOUS, before[-1])
        else:
            self.remove_alias(name, PREVIOUS)

    def _model(self, name: str) -> Mapping[str, Any]:
        from mlflow.exceptions import MlflowException

        try:
            found = self.store.client.get_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return {"aliases": {}, "tags": {}}
        return {"aliases": dict(found.aliases), "tags": dict(found.tags)}


@contextmanager
def opened(home: Path, *, where: str) -> Iterator[Registry]:
    """Yield the registry of a work tree's store; other processes of this machine wait.

    Parameters
    ----------
    home : Path
        The main work tree.
    where : str
        Command that messages begin with.

    Raises
    ------
    ArtifactError
        If there is no store, or it does not answer or take a request, at whatever call.
    """
    if not store.exists(home):
        raise ArtifactError(
            f"{where}: store {store.shown_address(home)} must exist, got none; run plumbline sync, "
            "or set MLFLOW_TRACKING_URI"
        )
    store.prepare_environment()
    from mlflow.exceptions import MlflowException

    folder = home / record_files.WORK
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(folder / "registry.lock", timeout=120):
            yield Registry(store.connect(home))
    except PlumblineError:
        raise
    except (MlflowException, OSError) as error:
        said = log_lines.without_password(" ".join(str(error).split())[:300])
        told, cure = "must answer", "start it, then repeat the command"
        if sending.refuses(error):
            told, cure = "must take the request", "plumbline ui shows what it holds"
        raise ArtifactError(
            f"{where}: store {store.shown_address(home)} {told}, got {type(error).__name__}: "
            f"{said}; {cure}"
        ) from error


def check_name(name: str) -> None:
    """Check that a name can be that of a registered model, in addresses and filters too.

    Raises
    ------
    ArtifactError
        If it cannot.
    """
    if not _NAME.fullmatch(name) or name != name.strip():
        raise ArtifactError(
            f"register: name must be of letters, digits, dots, hyphens and blanks, got {name!r}"
        )


def _parsed(text: str) -> list[int]:
    try:
        return [int(one) for one in json.loads(text)]
    except (ValueError, TypeError):  # somebody wrote it
        return []
