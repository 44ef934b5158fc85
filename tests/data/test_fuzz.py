"""Malformed tables, texts and archives: a right result or one clear error, nothing strewn about."""

import io
import random
import tarfile
import zipfile

import numpy as np
import pytest

from plumbline.data.fetch.archives import unpack
from plumbline.errors import DataError
from tests.data import bad_archives, table_files
from tests.data.text import test_files as test_text_files

TABLES, TEXTS, ARCHIVES = 240, 120, 120
WORDS = [
    "", "NA", "?", "1", "-2.5", "1e400", "inf", "nan", "0x10", "1,5", "yes", "no", "é", "\x00",
    "2024-02-30", "2024-02-29", "9999-12-31", "'", '"', '""', "a\nb", "\r", "true", "🦉", "9" * 400,
    "\t", " ", "=cmd()", "../../x", "\ufeff", "\u202e", "A" * 5000,
]  # fmt: skip


def outside(folder, before):
    now = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))
    return [name for name in now if name not in before and not name.startswith("home/out")]


def outcome(call):
    """Return what a call returns and None, or None and the error meant for the user."""
    try:
        return call(), None
    except DataError as error:
        return None, str(error)


def damage(data: bytes, draw: random.Random) -> bytes:
    """Return the bytes with one thing wrong with them."""
    kind, place = draw.randrange(6), draw.randrange(max(len(data), 1))
    if kind == 0:
        return data[:place]
    if kind == 1:
        return data[:place] + bytes([draw.randrange(256)]) + data[place + 1 :]
    if kind == 2:
        return data[:place] + draw.randbytes(draw.randrange(1, 40)) + data[place:]
    if kind == 3:
        return data + draw.choice([b'"', b"\x00", b"\n\n\n,,,", b"\xff\xfe", b"\r\r", b"a,b"])
    if kind == 4:
        return data.decode("utf-8", "replace").encode(
            draw.choice(["utf-16", "utf-32", "cp037"]), "replace"
        )
    return data.replace(*draw.choice([(b",", b";"), (b"\n", b"\r"), (b"y", b"z"), (b"a", b"")]))


def random_csv(draw: random.Random) -> bytes:
    """A table of random cells; four of five times every row belongs to a class."""
    sound = draw.random() < 0.8
    lines, oddity = ["a,b,c,y"], draw.choice([0, 0, 0.02])
    for row in range(draw.choice([0, 5, 60, 90, 120])):
        cells = [
            draw.choice(WORDS) if draw.random() < oddity else str(draw.randrange(50)) for _ in "ab"
        ]
        cells.append(f"2024-01-{row % 28 + 1:02d}")
        cells.append(draw.choice(["no", "yes"]) if sound else draw.choice(WORDS))
        cells = ['"' + c.replace('"', '""') + '"' if draw.random() < 0.5 else c for c in cells]
        lines.append(",".join(cells))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


@pytest.mark.no_cover
@pytest.mark.parametrize("block", range(8))
def test_a_malformed_table_is_refused_or_read_rightly(tmp_path, block):
    prepared = 0
    for case in range(TABLES // 8):
        draw = random.Random(f"table {block} {case}")
        folder = tmp_path / str(case)
        (folder / "home").mkdir(parents=True)
        data = random_csv(draw)
        for _ in range(draw.choice([0, 0, 1, 2])):
            data = damage(data, draw)
        (folder / "home/mine.csv").write_bytes(data)
        settings = table_files.parameters(
            attributes=draw.choice([{}, {"b": ()}, {"a": (10.0, 30.0)}]),
            types=draw.choice([{}, {"a": "numeric"}, {"b": "categorical"}, {"c": "date"}]),
            predict=draw.choice(["label", "label", "value"]),
            encoding={"missing_target": draw.choice(["refuse", "drop"])},
        )
        before = ["home", "home/mine.csv"]
        found, told = outcome(lambda: table_files.prepare(folder / "home", settings))  # noqa: B023
        if told is not None:
            assert "must" in told
            assert "\n" not in told
        else:
            prepared += 1
            table, schema = found
            numbers = table[list(schema.features)].to_numpy(dtype=np.float64)
            assert np.isfinite(numbers).all()
            assert table["y"].notna().all()
            assert table["sample_id"].is_unique
            if schema.classes:
                assert set(table["y"]) == set(range(len(schema.classes)))
        assert outside(folder, before) == []
        assert not list(folder.rglob(".*"))
    assert prepared > 0


@pytest.mark.parametrize("form", ["plain", "jsonl", "csv", "folder"])
def test_malformed_text_is_refused_or_read_rightly(tmp_path, form):
    for case in range(TEXTS // 4):
        draw = random.Random(f"text {form} {case}")
        folder = tmp_path / str(case)
        (folder / "home").mkdir(parents=True)
        text = "\n\n".join(test_text_files.texts())
        if form == "jsonl":
            text = "\n".join(f'{{"text": "{part}"}}' for part in test_text_files.texts())
        if form == "csv":
            text = "text\n" + "\n".join(test_text_files.texts())
        data = text.encode()
        for _ in range(draw.randrange(4)):
            data = damage(data, draw)
        target = folder / "home/mine"
        if form == "folder":
            target.mkdir()
            for k in range(5):
                (target / f"{k}.txt").write_bytes(damage(data, draw))
        else:
            target.write_bytes(data)
        encoding = draw.choice(["utf-8", "utf-8", "utf-16", "ascii", "latin-1"])
        before = [p.relative_to(folder).as_posix() for p in folder.rglob("*")]
        settings = test_text_files.settings(format=form, encoding=encoding)
        found, told = outcome(lambda: test_text_files.prepare(folder / "home", settings))  # noqa: B023
        if told is not None:
            assert "must" in told
        else:
            table, _ = found
            assert table["text"].str.len().min() >= 5
            assert table["text"].is_unique
        assert outside(folder, before) == []


def sound_archive(draw: random.Random) -> bytes:
    sink = io.BytesIO()
    names = [draw.choice(["a", "b/c", "d e", "é", "..", "/x", "../up", "f\\g"]) for _ in range(4)]
    if draw.random() < 0.5:
        with zipfile.ZipFile(sink, "w", draw.choice([0, 8])) as archive:
            for name in dict.fromkeys(names):
                archive.writestr(name, draw.randbytes(300))
    else:
        mode = draw.choice(["w", "w:gz", "w:xz", "w:bz2"])
        with tarfile.open(fileobj=sink, mode=mode) as archive:
            for name in names:
                entry = bad_archives.info(name, 300)
                entry.type = draw.choice([tarfile.REGTYPE] * 6 + [tarfile.SYMTYPE, tarfile.LNKTYPE])
                entry.linkname = "../../secret"
                archive.addfile(entry, io.BytesIO(draw.randbytes(300)))
    return sink.getvalue()


def test_a_malformed_archive_is_refused_or_unpacked_inside(tmp_path):
    for case in range(ARCHIVES):
        draw = random.Random(f"archive {case}")
        folder = tmp_path / str(case)
        (folder / "home").mkdir(parents=True)
        (folder / "secret").write_text("secret")
        data = sound_archive(draw)
        for _ in range(draw.randrange(3)):
            data = damage(data, draw)
        (folder / "home/archive").write_bytes(data)
        before = [p.relative_to(folder).as_posix() for p in folder.rglob("*")]
        home = folder / "home"
        _, told = outcome(
            lambda: unpack(home / "archive", home / "out", max_bytes=100_000, max_files=50)  # noqa: B023
        )
        if told is not None:
            assert told.startswith("archive: ")
            assert list((folder / "home/out").iterdir()) == []
        assert outside(folder, before) == []
        assert not any(p.is_symlink() for p in folder.rglob("*"))
        assert (folder / "secret").read_text() == "secret"
