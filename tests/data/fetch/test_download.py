"""Downloads from a real server: whole, or one sentence that says why not."""

import pytest

from plumbline.data.fetch import download as module
from plumbline.data.fetch.download import download
from plumbline.errors import DataError
from tests.data.http_server import serving

BODY = bytes(range(256)) * 4000  # 1 MB


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", 0.3)
    monkeypatch.setattr(module, "RETRIES", 1)


@pytest.fixture
def site():
    with serving() as site:
        site.files["/f"] = BODY
        yield site


def get(site, path, name="/f", limit=1 << 30, progress=lambda url, there, total: None):
    download(site.url(name), path, limit=limit, progress=progress)


def fault(site, path, **options):
    with pytest.raises(DataError) as caught:
        get(site, path, **options)
    assert list(path.parent.iterdir()) == []
    return str(caught.value)


@pytest.mark.parametrize("lengths", [True, False])
def test_a_file_comes_whole_and_its_progress_is_told(site, tmp_path, lengths):
    site.lengths = lengths
    seen = []
    get(site, tmp_path / "f", progress=lambda *step: seen.append(step))
    assert (tmp_path / "f").read_bytes() == BODY
    assert seen[-1] == (site.url("/f"), len(BODY), len(BODY) if lengths else None)
    assert [there for _, there, _ in seen] == sorted(there for _, there, _ in seen)


def test_a_file_that_is_there_is_not_asked_for_again(site, tmp_path):
    for _ in range(2):
        get(site, tmp_path / "f")
    assert site.asked == ["/f"]


@pytest.mark.parametrize("trouble", ["broken", "silent"])
def test_an_answer_that_stops_half_way_is_asked_for_again(site, tmp_path, trouble):
    getattr(site, trouble)["/f"] = 1
    get(site, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY
    assert site.asked == ["/f", "/f"]


def test_a_busy_server_is_asked_again(site, tmp_path):
    site.failing["/f"] = (1, 503)
    get(site, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY


def test_a_server_that_stays_busy_is_named_with_its_answer(site, tmp_path):
    site.failing["/f"] = (99, 503)
    assert fault(site, tmp_path / "f") == (
        f"{site.url('/f')}: server must answer, got HTTPError: 503 Server Error: Service "
        f"Unavailable for url: {site.url('/f')} 2 times; run the command again later"
    )
    assert site.asked == ["/f", "/f"]


def test_a_file_that_is_not_there_is_not_asked_for_again(site, tmp_path):
    assert fault(site, tmp_path / "f", name="/g") == (
        f"{site.url('/g')}: server must give the file, got status 404 Not Found"
    )
    assert site.asked == ["/g"]


def test_no_server_is_told_as_such(tmp_path):
    with serving() as site:
        pass
    assert "server must answer, got ConnectionError:" in fault(site, tmp_path / "f")


def test_a_redirect_is_followed_on_http_only(site, tmp_path):
    site.moved["/old"] = "/f"
    get(site, tmp_path / "f", name="/old")
    assert (tmp_path / "f").read_bytes() == BODY
    site.moved["/old"] = "ftp://127.0.0.1/f"
    (tmp_path / "f").unlink()
    assert f"{site.url('/old')}: address must be http or https, got another: " in fault(
        site, tmp_path / "f", name="/old"
    )


def test_files_of_this_machine_are_no_address(tmp_path):
    (tmp_path / "secret").write_text("x")
    url = (tmp_path / "secret").as_uri()
    with pytest.raises(DataError, match=r"address must be http or https, got another: .*file:"):
        download(url, tmp_path / "f", limit=9, progress=lambda *step: None)
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize("lengths", [True, False])
def test_more_bytes_than_declared_end_the_download(site, tmp_path, lengths):
    site.lengths = lengths
    assert fault(site, tmp_path / "f", limit=5000) == (
        f"{site.url('/f')}: file must have at most 5000 bytes, got more"
    )
    assert site.asked == ["/f"]
    get(site, tmp_path / "f", limit=len(BODY))
