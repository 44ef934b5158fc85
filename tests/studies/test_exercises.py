"""The exercises of the chapter, and the stages and laboratories that they name."""

from plumbline.runs import dvc_files
from plumbline.studies import exercises


def test_there_are_eighteen_with_title_and_question():
    found = exercises.read()
    assert list(found) == [f"E{number}" for number in range(1, 19)]
    for each in found.values():
        assert each.title
        assert each.question.endswith("?")


def test_what_runs_an_exercise_exists(root):
    stages = dvc_files.stages(root)
    default = {name for name, spec in stages.items() if not spec.lab}
    labs = {spec.lab for spec in stages.values()}
    for name, each in exercises.read().items():
        assert set(each.stages) <= default, name
        assert set(each.labs) <= labs, name
