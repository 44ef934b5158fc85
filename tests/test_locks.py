"""The lock files: what users install, and what tests and checks need besides."""

import re
import tomllib
from importlib.metadata import distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins(path):
    text = path.read_text(encoding="utf-8")
    return {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}


def needed(lines):
    """Return the names of packages and of all that they need here."""
    found, waiting = {}, [Requirement(line) for line in lines]
    while waiting:
        one = waiting.pop()
        name, extras = canonicalize_name(one.name), {"", *one.extras}
        if extras <= found.setdefault(name, set()):
            continue
        found[name] |= extras
        needs = map(Requirement, distribution(name).requires or [])
        waiting += [
            need for need in needs
            if not need.marker or any(need.marker.evaluate({"extra": each}) for each in extras)
        ]  # fmt: skip
    return set(found) - {"setuptools"}  # comes with the environment


def test_the_runtime_lock_pins_all_that_the_package_needs(root, project):
    assert needed(project["dependencies"]) <= pins(root / "requirements.lock")


def test_the_development_lock_adds_what_tests_and_checks_need_and_nothing_else(root, project):
    runtime, development = (
        pins(root / name) for name in ("requirements.lock", "requirements-dev.lock")
    )
    tools = needed(project["optional-dependencies"]["dev"])
    assert tools - needed(project["dependencies"]) <= development
    assert tools <= runtime | development
    assert runtime.isdisjoint(development)
    first = (root / "requirements-dev.lock").read_text(encoding="utf-8").splitlines()[0]
    assert first == "-r requirements.lock"
