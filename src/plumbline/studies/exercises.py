"""The exercises E1 to E18 of the textbook chapter, and what runs each."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources

from plumbline.artifacts import yaml_text

FILE = "exercises.yaml"


@dataclass(frozen=True)
class Exercise:
    """An exercise.

    Attributes
    ----------
    title : str
    question : str
        The question of the chapter's hint, paraphrased.
    stages : tuple of str
        Stages of the default pipeline that belong to it.
    labs : tuple of str
        Laboratories that are about it as a whole.
    """

    title: str
    question: str
    stages: tuple[str, ...] = ()
    labs: tuple[str, ...] = ()


@functools.cache
def read() -> dict[str, Exercise]:
    """Return every exercise by its name, E1 to E18."""
    text = (resources.files("plumbline.studies") / FILE).read_text(encoding="utf-8")
    return {
        name: Exercise(
            body["title"], body["question"], tuple(body.get("stages", ())),
            tuple(body.get("labs", ())),
        )
        for name, body in yaml_text.parse(text, FILE).items()
    }  # fmt: skip
