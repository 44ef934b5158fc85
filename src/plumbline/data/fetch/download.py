"""Download one file over HTTP with pooch: tried again on failure, never longer than a limit.

No other module of the package uses the network. A download that was interrupted begins again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from plumbline.errors import DataError

Progress = Callable[[str, int, int | None], None]  # (url, bytes so far, bytes in all if known)

RETRIES = 4  # after 1, 2, 3, … seconds
TIMEOUT = 30.0  # seconds without an answer or a new byte
_CHUNK = 1 << 18
_HEADERS = {"User-Agent": "plumbline", "Accept-Encoding": "identity"}
_TEMPORARY = (408, 425, 429)  # statuses below 500 after which another attempt may succeed


def download(url: str, path: Path, *, limit: int, progress: Progress) -> None:
    """Download ``url`` to ``path``, unless there is a file already.

    Parameters
    ----------
    url : str
        An http or https address; redirects are followed.
    path : Path
        Complete or not there: nothing is left of a download that failed.
    limit : int
        Largest number of bytes that is accepted.
    progress : callable
        Called after every chunk.

    Raises
    ------
    DataError
        If the address has another scheme, the server refuses or does not answer, or the file has
        more than ``limit`` bytes.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    cache = pooch.create(
        path.parent, base_url="", registry={path.name: None}, urls={path.name: url},
        retry_if_failed=RETRIES,
    )  # fmt: skip

    def attempt(url: str, target: str, _: Any) -> None:
        with ExitStack() as opened:

            def keep(answer: requests.Response, **_: Any) -> None:
                opened.callback(answer.close)  # pooch leaves it open if an error ends the reading

            sink = _Sink(opened.enter_context(open(target, "wb")), url, limit, progress)
            http = pooch.HTTPDownloader(
                sink, _CHUNK, timeout=TIMEOUT, headers=_HEADERS, hooks={"response": keep}
            )
            try:
                http(url, sink, None)
            except requests.HTTPError as error:
                answer = error.response
                if answer is None or answer.status_code >= 500 or answer.status_code in _TEMPORARY:
                    raise
                status = f"{answer.status_code} {answer.reason}"
                raise DataError(f"{url}: server must give the file, got status {status}") from error

    try:
        cache.fetch(path.name, downloader=attempt)
    except (requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema) as error:
        raise DataError(f"{url}: address must be http or https, got another: {error}") from error
    except requests.RequestException as error:
        got = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(
            f"{url}: server must answer, got {got} {RETRIES + 1} times; run the command again later"
        ) from error


class _Sink:
    """A file for pooch to write to, and the progress bar from which it tells the length."""

    total = 0  # set by pooch; 0 if the server does not tell the length

    def __init__(self, stream: IO[bytes], url: str, limit: int, progress: Progress) -> None:
        self._stream, self._url, self._limit, self._progress = stream, url, limit, progress
        self._written = 0

    def write(self, chunk: bytes) -> None:
        self._written += len(chunk)
        if self._written > self._limit:
            raise DataError(f"{self._url}: file must have at most {self._limit} bytes, got more")
        self._stream.write(chunk)
        self._progress(self._url, self._written, self.total or None)

    def flush(self) -> None:
        """Leave that to the stream, which is closed when all is written."""

    def update(self, _: int) -> None:
        """Ignore pooch's own count, which is in whole chunks."""

    reset = close = flush
