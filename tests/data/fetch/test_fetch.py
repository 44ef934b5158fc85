"""Fetching: what lies there rightly is kept, what comes is verified before it is in place."""

import hashlib
import io
import zipfile

import pytest

from plumbline.data.base import sources
from plumbline.data.base.sources import RawFile, Source
from plumbline.data.fetch.fetch import fetch
from plumbline.errors import DataError
from tests.data.http_server import serving

ONE, TWO = b"first file\n" * 50, b"second file\n" * 70


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def zipped(**files):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"inside/{name}", data)
    return sink.getvalue()


@pytest.fixture
def site():
    with serving() as site:
        site.files |= {"/one": ONE, "/both.zip": zipped(one=ONE, two=TWO, readme=b"unwanted")}
        yield site


def registry(**files):
    return {"toy": Source("tabular", "Toy", "https://example.org", "CC0", "nobody", files=files)}


@pytest.fixture
def plain(site):
    return registry(one=RawFile(sha256(ONE), len(ONE), site.url("/one")))


def get(tmp_path, sources_, accepted=()):
    return fetch("toy", root=tmp_path, sources=sources_, accepted=accepted)


def fault(tmp_path, sources_, accepted=()):
    with pytest.raises(DataError) as caught:
        get(tmp_path, sources_, accepted)
    return str(caught.value)


def listing(tmp_path):
    return sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())


def test_a_file_is_fetched_once_and_then_kept(site, plain, tmp_path):
    assert [(f.name, f.kept) for f in get(tmp_path, plain)] == [("one", False)]
    assert [(f.name, f.kept) for f in get(tmp_path, plain)] == [("one", True)]
    assert len(site.asked) == 1
    assert listing(tmp_path) == ["data/raw/toy/one"]
    assert sources.check_raw("toy", sources=plain, root=tmp_path) == {"one": sha256(ONE)}


def test_a_file_laid_there_by_hand_needs_no_network(plain, tmp_path):
    (tmp_path / "data/raw/toy").mkdir(parents=True)
    (tmp_path / "data/raw/toy/one").write_bytes(ONE)
    with serving() as other:
        assert [f.kept for f in get(tmp_path, plain)] == [True]
        assert other.asked == []


def test_members_of_one_archive_come_with_one_download(site, tmp_path):
    url = site.url("/both.zip")
    files = {
        name: RawFile(sha256(data), len(data), url, f"inside/{name}")
        for name, data in {"one": ONE, "two": TWO}.items()
    }
    assert [f.name for f in get(tmp_path, registry(**files))] == ["one", "two"]
    assert len(site.asked) == 1
    assert listing(tmp_path) == ["data/raw/toy/one", "data/raw/toy/two"]


def test_other_bytes_than_pinned_are_not_put_in_place(site, plain, tmp_path):
    (tmp_path / "data/raw/toy").mkdir(parents=True)
    (tmp_path / "data/raw/toy/one").write_bytes(b"an older file")
    site.files["/one"] = other = b"x" * len(ONE)
    assert fault(tmp_path, plain) == (
        f"toy: one from {site.url('/one')} must have sha256 {sha256(ONE)}, got {sha256(other)}; "
        "the address may hold another version now: put the right file into data/raw/toy by hand"
    )
    assert (tmp_path / "data/raw/toy/one").read_bytes() == b"an older file"
    # The wrong bytes are gone: the next call begins anew and finds the right ones.
    site.files["/one"] = ONE
    assert [f.kept for f in get(tmp_path, plain)] == [False]
    assert (tmp_path / "data/raw/toy/one").read_bytes() == ONE


def test_an_archive_with_one_wrong_member_leaves_none(site, tmp_path):
    url = site.url("/both.zip")
    files = {
        "one": RawFile(sha256(ONE), None, url, "inside/one"),
        "two": RawFile("0" * 64, None, url, "inside/two"),
    }
    assert "two from http" in fault(tmp_path, registry(**files))
    assert not (tmp_path / "data/raw/toy/one").exists()


def test_an_archive_that_is_none_is_named_with_its_address(site, tmp_path):
    site.files["/both.zip"] = b"<html>sorry</html>"
    url = site.url("/both.zip")
    files = {"one": RawFile(sha256(ONE), None, url, "inside/one")}
    assert fault(tmp_path, registry(**files)).startswith(f"{url}: ")
    assert not (tmp_path / "data/raw/toy/one").exists()


def test_a_file_without_a_digest_is_taken_only_with_an_accepted_one(site, tmp_path):
    unpinned = registry(one=RawFile(None, None, site.url("/one")))
    told = fault(tmp_path, unpinned)
    assert told == (
        f"toy: one must have a digest that you accept, got sha256 {sha256(ONE)} from "
        f"{site.url('/one')}; compare it with what its publisher states, then run plumbline data "
        f"fetch toy --accept-digest {sha256(ONE)}"
    )
    assert not (tmp_path / "data/raw/toy/one").exists()
    assert told == fault(tmp_path, unpinned, accepted=["0" * 64])
    assert [f.sha256 for f in get(tmp_path, unpinned, accepted=[sha256(ONE)])] == [sha256(ONE)]
    # The download is not repeated, the acceptance is remembered, and prepare checks the file.
    assert site.asked == ["/one"]
    assert [f.kept for f in get(tmp_path, unpinned)] == [True]
    assert sources.check_raw("toy", sources=unpinned, root=tmp_path) == {"one": sha256(ONE)}
    (tmp_path / "data/raw/toy/one").write_bytes(b"altered")
    with pytest.raises(DataError, match=f"must have sha256 {sha256(ONE)}, got "):
        sources.check_raw("toy", sources=unpinned, root=tmp_path)


def test_a_file_that_may_stand_in_for_another_is_enough(site, tmp_path):
    files = registry(
        one=RawFile(sha256(ONE), None, site.url("/one")),
        part=RawFile(sha256(TWO), replaces="one"),
    )
    with pytest.raises(DataError, match="raw file one must exist, got none; run plumbline data"):
        sources.check_raw("toy", sources=files, root=tmp_path)
    (tmp_path / "data/raw/toy").mkdir(parents=True)
    (tmp_path / "data/raw/toy/part").write_bytes(TWO)
    assert sources.check_raw("toy", sources=files, root=tmp_path) == {"part": sha256(TWO)}
    assert [f.name for f in get(tmp_path, files)] == ["part"]
    assert site.asked == []
    (tmp_path / "data/raw/toy/one").write_bytes(ONE)
    assert sources.check_raw("toy", sources=files, root=tmp_path) == {"one": sha256(ONE)}


def test_the_same_content_compressed_by_others_is_as_good(site, tmp_path):
    files = registry(one=RawFile(sha256(ONE), None, site.url("/one"), also=[sha256(TWO)]))
    (tmp_path / "data/raw/toy").mkdir(parents=True)
    (tmp_path / "data/raw/toy/one").write_bytes(TWO)
    assert sources.check_raw("toy", sources=files, root=tmp_path) == {"one": sha256(TWO)}
    assert [(f.sha256, f.kept) for f in get(tmp_path, files)] == [(sha256(TWO), True)]
    assert site.asked == []
    (tmp_path / "data/raw/toy/one").write_bytes(b"altered")
    with pytest.raises(DataError, match=f"must have sha256 {sha256(ONE)}, got "):
        sources.check_raw("toy", sources=files, root=tmp_path)


def test_a_source_inside_a_package_is_not_fetched(tmp_path):
    with pytest.raises(DataError) as caught:
        fetch("iris", root=tmp_path)
    assert str(caught.value) == (
        "iris: source must be one that is fetched, got one that ships inside scikit-learn==1.9.1"
    )
    assert listing(tmp_path) == []


def test_a_source_that_does_not_exist_is_told_with_those_that_do(tmp_path):
    with pytest.raises(DataError, match=r"^data: source must be one of toy, got 'tay'$"):
        fetch("tay", root=tmp_path, sources=registry())


def test_one_fetch_of_a_source_runs_at_a_time(plain, tmp_path):
    from filelock import FileLock

    (tmp_path / "data/raw/toy/.partial").mkdir(parents=True)
    with FileLock(tmp_path / "data/raw/toy/.partial/lock"):
        assert fault(tmp_path, plain) == "toy: one fetch must run at a time, got another one"
