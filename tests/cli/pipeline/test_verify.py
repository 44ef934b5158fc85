"""``plumbline verify cards``: exit code and messages."""

from plumbline import artifacts, names
from plumbline.cli.main import main
from plumbline.reporting.references import Book, separate

FILE = "reports/metrics/fnn.json"


def write_card(root):
    artifacts.write_json(root / FILE, {"accuracy": 0.75})
    text, entries = separate(f"Accuracy {Book(root).at(FILE, 'accuracy').markdown()}.\n")
    artifacts.write_text(root / names.CARDS / "fnn.md", text)
    artifacts.write_json(root / names.CARDS / "fnn.refs.json", entries)


def test_cards_that_agree_are_counted(tmp_path, capsys):
    write_card(tmp_path)
    assert main(["verify", "cards", "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "1 numbers compared, 0 differ from their file\n"


def test_a_changed_metric_is_named_and_fails(tmp_path, capsys):
    write_card(tmp_path)
    artifacts.write_json(tmp_path / FILE, {"accuracy": 0.75 * (1 + 1e-6)})
    card = str(tmp_path / names.CARDS / "fnn.md")
    assert main(["verify", "cards", card, "--root", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"fnn.md: {FILE}#accuracy: value must be 0.75000075, got 0.75\n"
    )


def test_nothing_to_compare_is_a_failure(tmp_path):
    assert main(["verify", "cards", "--root", str(tmp_path)]) == 1
