"""Downloads from a real server: whole, resumed, or one sentence that says why not."""

import pytest

from plumbline.data.fetch.download import Retry, download
from plumbline.errors import DataError
from tests.data.http_server import serving

QUICK = Retry(attempts=3, timeout=0.3, pause=0.01)
BODY = bytes(range(256)) * 4000  # 1 MB


@pytest.fixture
def site():
    with serving() as site:
        site.files["/f"] = BODY
        yield site


def get(site, path, name="/f", limit=1 << 30, retry=QUICK, progress=lambda url, there, total: None):
    download(site.url(name), path, limit=limit, retry=retry, progress=progress)


def fault(site, path, **options):
    with pytest.raises(DataError) as caught:
        get(site, path, **options)
    return str(caught.value)


def test_a_file_comes_whole_and_its_progress_is_told(site, tmp_path):
    seen = []
    get(site, tmp_path / "f", progress=lambda *step: seen.append(step))
    assert (tmp_path / "f").read_bytes() == BODY
    assert seen[-1] == (site.url("/f"), len(BODY), len(BODY))
    assert [there for _, there, _ in seen] == sorted(there for _, there, _ in seen)


def test_a_download_goes_on_where_an_earlier_one_stopped(site, tmp_path):
    (tmp_path / "f").write_bytes(BODY[:1000])
    get(site, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY
    assert site.asked == [("/f", "bytes=1000-")]


def test_a_server_without_ranges_sends_everything_again(site, tmp_path):
    site.ranges = False
    (tmp_path / "f").write_bytes(b"x" * 1000)
    get(site, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY


def test_a_file_that_changed_meanwhile_is_begun_again(site, tmp_path):
    site.broken["/f"] = 3
    fault(site, tmp_path / "f", retry=Retry(attempts=1, timeout=1, pause=0))
    assert (tmp_path / "f").stat().st_size == len(BODY) // 2
    site.broken.clear()
    site.files["/f"], site.etag = b"new" * 1000, '"2"'
    get(site, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == b"new" * 1000


@pytest.mark.parametrize("lengths", [True, False])
def test_a_whole_file_is_not_asked_for_again(site, tmp_path, lengths):
    site.lengths = lengths
    for _ in range(2):
        get(site, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY
    assert site.asked == [("/f", None), ("/f", f"bytes={len(BODY)}-")]


def test_a_file_longer_than_the_servers_is_thrown_away(site, tmp_path):
    (tmp_path / "f").write_bytes(b"x" * (len(BODY) + 1))
    get(site, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY


@pytest.mark.parametrize("trouble", ["broken", "silent"])
def test_answers_that_stop_half_way_are_resumed(site, tmp_path, trouble):
    getattr(site, trouble)["/f"] = 4  # more than the attempts: each brings new bytes
    get(site, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY
    assert len(site.asked) == 5


def test_a_busy_server_is_asked_again(site, tmp_path):
    site.failing["/f"] = (2, 503)
    get(site, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY


def test_a_server_that_stays_busy_is_named_with_its_answer(site, tmp_path):
    site.failing["/f"] = (99, 503)
    assert fault(site, tmp_path / "f") == (
        f"{site.url('/f')}: server must answer, got HTTPError: Service Unavailable 3 times in a "
        "row; run the command again, it goes on where it stopped"
    )
    assert len(site.asked) == 3


def test_a_file_that_is_not_there_is_not_asked_for_again(site, tmp_path):
    assert fault(site, tmp_path / "f", name="/g") == (
        f"{site.url('/g')}: server must give the file, got status 404 Not Found"
    )
    assert site.asked == [("/g", None)]
    assert not (tmp_path / "f").exists()


def test_no_server_is_told_as_such(tmp_path):
    with serving() as site:
        pass
    assert "server must answer, got URLError:" in fault(site, tmp_path / "f")


def test_a_redirect_is_followed_on_http_only(site, tmp_path):
    site.moved["/old"] = "/f"
    get(site, tmp_path / "f", name="/old")
    assert (tmp_path / "f").read_bytes() == BODY
    site.moved["/old"] = "ftp://127.0.0.1/f"
    assert fault(site, tmp_path / "g", name="/old") == (
        f"{site.url('/old')}: address must be and stay http or https, got ftp://127.0.0.1/f; "
        "it is refused"
    )


def test_files_of_this_machine_are_no_address(tmp_path):
    (tmp_path / "secret").write_text("x")
    with pytest.raises(DataError, match="address must be and stay http or https, got file:"):
        download(
            (tmp_path / "secret").as_uri(),
            tmp_path / "f",
            limit=9,
            retry=QUICK,
            progress=lambda *step: None,
        )


def test_more_bytes_than_declared_end_the_download(site, tmp_path):
    assert fault(site, tmp_path / "f", limit=5000) == (
        f"{site.url('/f')}: file must have at most 5000 bytes, got more"
    )
