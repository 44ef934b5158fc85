"""Differences between two machines that can change the bits of a result, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plumbline.compat import kernels

# Compared elsewhere: the kernels per stage, from the lock; the other two are inputs of stages.
_ELSEWHERE = ("kernels", "requirements", "threads")
_NATIVE = "native"


def differences(noted: Mapping[str, Any] | None, here: Mapping[str, Any]) -> str:
    """Return what differs between two environments that can change bits; empty if nothing does.

    Parameters
    ----------
    noted : mapping or None
        What ``reports/environment.json`` says of the machine that made ``dvc.lock``.
    here : mapping
        `provenance.environment` of this machine.
    """
    if noted is None:
        return ""
    named = [
        f"{name} {noted[name]} against {here[name]}"
        for name in noted
        if name in here and name not in (*_ELSEWHERE, "packages") and noted[name] != here[name]
    ]
    if (used := here.get("accelerator", "cpu")) == noted.get("accelerator", "cpu") != "cpu":
        named.append(f"accelerator {used}")  # which one is not noted
    old, new = noted.get("packages", {}), here.get("packages", {})
    packages = [
        f"{name} {old.get(name)} against {new.get(name)}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]
    if packages:
        named.append(f"other package versions: {', '.join(packages)}")
    return ", ".join(named)


def kernel_difference(old: str | None, new: str | None) -> str:
    """Return how the kernels of two lock entries differ; empty if they are the same.

    Parameters
    ----------
    old, new : str or None
        As recorded under ``kernels``, the new ones by this machine; None in a lock without them.
    """
    if old == new:
        return ""
    if old is None or new is None:
        return "kernels are recorded in one of them only"
    if _NATIVE in (old.partition(" ")[0], new.partition(" ")[0]):
        none = new.startswith(_NATIVE) and not kernels.available()
        return "native kernels" + " (no x86-64 with AVX2)" * none
    return f"kernels {old} against {new}"
