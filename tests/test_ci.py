"""What continuous integration runs."""

import re


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
