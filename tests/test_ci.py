"""What continuous integration runs."""

import os
import re
import subprocess
import sys

import pytest
import yaml


def test_every_part_of_the_tests_names_paths_that_exist_and_the_rest_leaves_out_all_of_them(root):
    script = (root / ".ci/run").read_text(encoding="utf-8")
    parts = {
        name: paths.split()
        for name, paths in re.findall(r'^(\w+)="(tests/[^"]*)"$', script, flags=re.MULTILINE)
    }
    assert set(parts) == {"whole", "stopped", "tables"}
    for paths in parts.values():
        for path in paths:
            assert (root / path).exists(), path
    assert "'--ignore=%s ' " + " ".join(f"${name}" for name in parts) in script
    begun = re.findall(r'^parts="([\w ]+)"$', script, flags=re.MULTILINE)[0].split()
    assert sorted(begun) == sorted(re.findall(r"^    (\w+)\) make test", script, re.MULTILINE))
    assert set(parts) == set(begun) - {"fast", "others"}


def test_a_workflow_of_its_own_verifies_the_committed_lock(root):
    text = (root / ".github/workflows/reproduce.yml").read_text(encoding="utf-8")
    found = yaml.safe_load(text)
    (job,) = found["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make env", "make verify"]
    triggers = found[True]  # YAML 1.1 reads "on" as a boolean
    assert triggers["push"]["paths"] == ["dvc.lock", "studies/*/dvc.lock"]
    assert {"schedule", "workflow_dispatch"} <= set(triggers)


# --- the workflow that comments on pull requests ---

STAND_IN = """#!{python}
import pathlib, sys
words = sys.argv[1:]
with open("calls", "a") as calls:
    print(*words, sep=chr(9), file=calls)
if "--paginate" in words:
    print(pathlib.Path("known").read_text(), end="")
"""


@pytest.fixture
def jobs(root) -> dict:
    text = (root / ".github/workflows/compare.yml").read_text(encoding="utf-8")
    return yaml.safe_load(text)["jobs"]


def step(job, name) -> str:
    (found,) = [each["run"] for each in job["steps"] if each.get("name") == name]
    return found


def test_the_job_that_may_write_runs_nothing_of_the_pull_request(root, jobs):
    text = (root / ".github/workflows/compare.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    assert list(workflow[True]) == ["pull_request"]  # not pull_request_target, which has secrets
    assert jobs["compare"]["permissions"] == {"contents": "read"}
    assert jobs["comment"]["permissions"] == {"pull-requests": "write"}
    used = [each["uses"] for each in jobs["comment"]["steps"] if "uses" in each]
    assert used == ["actions/download-artifact@v4"]
    for job in jobs.values():
        for each in job["steps"]:
            assert each.get("uses", "actions/").startswith("actions/")
            # Names of branches and titles are text of strangers: a shell sees them as variables.
            assert "${{" not in each.get("run", "")


@pytest.mark.parametrize(
    ("known", "method", "place"),
    [("", "POST", "issues/7/comments"), ("31\n42\n", "PATCH", "issues/comments/31")],
)
def test_the_comment_is_made_once_and_then_updated(tmp_path, jobs, known, method, place):
    """With a program in place of `gh`: it notes how it is called, and lists the known comments."""
    gh = tmp_path / "gh"
    gh.write_text(STAND_IN.format(python=sys.executable))
    gh.chmod(0o755)
    (tmp_path / "known").write_text(known)
    (tmp_path / "comparison.md").write_text("### Results: a → b\n")
    variables = {"REPOSITORY": "me/mine", "NUMBER": "7", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(
        ["bash", "-e", "-c", step(jobs["comment"], "comment")],
        cwd=tmp_path, env={**os.environ, **variables}, check=True,
    )  # fmt: skip
    *_, last = (tmp_path / "calls").read_text().splitlines()
    assert last.split("\t") == [
        "api", "--silent", "--method", method, f"repos/me/mine/{place}", "--field", "body=@body.md",
    ]  # fmt: skip
    assert (tmp_path / "body.md").read_text(encoding="utf-8") == (
        "<!-- plumbline compare -->\n### Results: a → b\n"
    )
