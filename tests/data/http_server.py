"""A real HTTP server on this machine that misbehaves as asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site:
    """What is served, how, and what was asked.

    ``files`` maps a path to its bytes. ``broken`` maps a path to how many answers stop half-way,
    ``silent`` to how many fall silent half-way, ``failing`` to (how many, status), ``moved`` to the
    address of a redirect. ``ranges`` says whether ranges are answered, ``lengths`` whether the
    length is told; ``etag`` names the version.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.broken: dict[str, int] = {}
        self.silent: dict[str, int] = {}
        self.failing: dict[str, tuple[int, int]] = {}
        self.moved: dict[str, str] = {}
        self.ranges = self.lengths = True
        self.etag = '"1"'
        self.asked: list[tuple[str, str | None]] = []
        self.address = ""

    def url(self, path: str) -> str:
        return f"{self.address}{path}"


class _Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        site, path = self.site, self.path
        wanted = self.headers.get("Range")
        site.asked.append((path, wanted))
        if path in site.moved:
            self.send_response(302)
            self.send_header("Location", site.moved[path])
            self.end_headers()
            return
        count, status = site.failing.get(path, (0, 0))
        if count:
            site.failing[path] = (count - 1, status)
            self.send_error(status)
            return
        if path not in site.files:
            self.send_error(404)
            return
        self._send_file(site, path, wanted)

    def _send_file(self, site: Site, path: str, wanted: str | None) -> None:
        body, start = site.files[path], 0
        same = self.headers.get("If-Range") in (None, site.etag)
        if site.ranges and wanted and same:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        rest = body[start:]
        if site.lengths:
            self.send_header("Content-Length", str(len(rest)))
        self.send_header("ETag", site.etag)
        self.end_headers()
        half = rest[: (len(rest) + 1) // 2]
        for trouble in (site.broken, site.silent):
            if trouble.get(path, 0):
                trouble[path] -= 1
                self.wfile.write(half)
                self.wfile.flush()
                if trouble is site.silent:
                    time.sleep(1.0)
                return
        self.wfile.write(rest)

    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for every answer

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that hangs up is part of the tests."""


@contextmanager
def serving() -> Iterator[Site]:
    site = Site()
    handler = type("Handler", (_Handler,), {"site": site})
    server = _Server(("127.0.0.1", 0), handler)
    site.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
