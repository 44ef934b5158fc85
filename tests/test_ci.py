"""What continuous integration runs."""

import re

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
