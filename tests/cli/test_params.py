"""`plumbline params check`; tests/params run `plumbline params apply`."""

from plumbline.cli import main


def test_params_check_lists_faults_and_exits_2(toy, capsys, caplog):
    root = ["--root", str(toy.folder)]
    assert main.main(["params", "check", *root]) == 0
    path = toy.folder / "params.yaml"
    path.write_text(path.read_text().replace("seed: 42", "seed: -1"))
    assert main.main(["params", "check", *root]) == 2
    assert caplog.records[-1].getMessage() == "params.yaml: seed must be >= 0, got -1"
