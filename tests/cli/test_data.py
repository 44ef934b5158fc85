"""The data commands, through the command line."""

from plumbline.cli import main


def test_the_sources_are_listed_with_where_their_files_are(tmp_path, capsys):
    assert main.main(["data", "list", "--root", str(tmp_path)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "inside scikit-learn" in shown
    assert "none; plumbline data" in shown


def test_a_source_and_a_path_are_checked_on_the_output_that_a_script_reads(tmp_path, capsys):
    assert main.main(["data", "check", "digits"]) == 0
    assert "digits.csv.gz" in capsys.readouterr().out
    (tmp_path / "mine.csv").write_bytes(b"a\n")
    assert main.main(["data", "check", "--root", str(tmp_path), "mine.csv"]) == 0
    # sha256 of the two bytes, from sha256sum
    digest = "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"
    assert capsys.readouterr().out == f"{digest}  mine.csv\n"


def test_data_that_cannot_be_had_end_with_the_code_of_data(tmp_path, caplog):
    assert main.main(["data", "check", "--root", str(tmp_path), "adult"]) == 3
    assert main.main(["data", "fetch", "--root", str(tmp_path), "iris"]) == 3
    assert main.main(["data", "check", "--root", str(tmp_path), "nothing"]) == 3
    assert "name must be a file, a folder or one of" in caplog.text
