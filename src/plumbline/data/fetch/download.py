"""One file over HTTP: resumed where it stopped, tried again where that may help.

The only module of the data room that uses the network.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from plumbline.errors import DataError

Progress = Callable[[str, int, int | None], None]  # (url, bytes there, bytes in all if known)

_CHUNK = 1 << 18
_AGAIN = (408, 425, 429, 500, 502, 503, 504)  # statuses that may pass


@dataclass(frozen=True)
class Retry:
    """How long to wait for a server.

    ``attempts`` without a new byte end the download, ``timeout`` seconds of silence an attempt;
    ``pause`` seconds come before the second attempt, twice as many before each further one.
    """

    attempts: int = 5
    timeout: float = 30.0
    pause: float = 1.0


RETRY = Retry()


class _TransientError(Exception):
    """The same request may succeed later."""


def download(url: str, path: Path, *, limit: int, retry: Retry, progress: Progress) -> None:
    """Download ``url`` to ``path``; bytes that are there already are not asked for again.

    Raises
    ------
    DataError
        If the address is not http or https (or leads from https to http), the server refuses, falls
        silent `Retry.attempts` times, or sends more than ``limit`` bytes.
    """
    _check_address(url, url)
    fruitless = 0
    while True:
        before = path.stat().st_size if path.exists() else 0
        try:
            _attempt(url, path, limit=limit, retry=retry, progress=progress)
            return
        except urllib.error.HTTPError as error:
            error.close()
            if error.code not in _AGAIN:
                raise DataError(
                    f"{url}: server must give the file, got status {error.code} {error.reason}"
                ) from error
            fault: Exception = error
        except (OSError, http.client.HTTPException, _TransientError) as error:
            fault = error
        after = path.stat().st_size if path.exists() else 0
        fruitless = fruitless + 1 if after <= before else 1
        if fruitless >= retry.attempts:
            raise DataError(
                f"{url}: server must answer, got {_sentence(fault)} {fruitless} times in a row; "
                "run the command again, it goes on where it stopped"
            ) from fault
        time.sleep(retry.pause * 2 ** (fruitless - 1))


def _attempt(url: str, path: Path, *, limit: int, retry: Retry, progress: Progress) -> None:
    marker = path.with_suffix(".version")  # the server's name for the version of what is there
    there = path.stat().st_size if path.exists() else 0
    headers = {"User-Agent": "plumbline", "Accept-Encoding": "identity"}
    if there:
        headers["Range"] = f"bytes={there}-"
        if marker.exists():
            headers["If-Range"] = marker.read_text(encoding="ascii")
    request = urllib.request.Request(url, headers=headers)
    try:
        answer = _opener().open(request, timeout=retry.timeout)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not there:
            raise
        error.close()
        if error.headers.get("Content-Range") == f"bytes */{there}":
            return  # it was whole
        path.unlink()
        raise _TransientError("a range that is not there") from error
    with answer:
        there, total = _begin(answer, there)
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        if version and not version.startswith("W/"):
            marker.write_text(version, encoding="ascii", errors="replace")
        else:
            marker.unlink(missing_ok=True)
        with path.open("ab" if there else "wb") as sink:
            while chunk := answer.read1(_CHUNK):
                there += len(chunk)
                if there > limit:
                    raise DataError(f"{url}: file must have at most {limit} bytes, got more")
                sink.write(chunk)
                progress(url, there, total)
    if total is not None and there < total:
        raise _TransientError(f"{there} of {total} bytes")


def _begin(answer: Any, asked: int) -> tuple[int, int | None]:
    length = answer.headers.get("Content-Length")
    size = int(length) if length and length.isdigit() else None
    if answer.status != 206:
        return 0, size  # the whole file, from its first byte
    begins = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    if begins != str(asked):
        raise _TransientError(f"bytes from {begins or '?'} where {asked} was asked for")
    return asked, None if size is None else asked + size


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        """Follow a redirect to a permitted address."""
        try:
            _check_address(newurl, req.full_url)
        except DataError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_Redirects)


def _check_address(url: str, came_from: str) -> None:
    scheme, before = urlsplit(url).scheme, urlsplit(came_from).scheme
    if scheme not in ("http", "https") or (before == "https" and scheme == "http"):
        raise DataError(
            f"{came_from}: address must be and stay http or https, got {url}; it is refused"
        )


def _sentence(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return " ".join(f"{type(error).__name__}: {reason}".split())
