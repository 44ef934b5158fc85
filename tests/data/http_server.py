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
    address of a redirect. ``lengths`` says whether the length is told.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.broken: dict[str, int] = {}
        self.silent: dict[str, int] = {}
        self.failing: dict[str, tuple[int, int]] = {}
        self.moved: dict[str, str] = {}
        self.lengths = True
        self.asked: list[str] = []
        self.address = ""

    def url(self, path: str) -> str:
        return f"{self.address}{path}"


class _Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        site, path = self.site, self.path
        site.asked.append(path)
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
        self._send_file(site, path)

    def _send_file(self, site: Site, path: str) -> None:
        body = site.files[path]
        self.send_response(200)
        if site.lengths:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        half = body[: (len(body) + 1) // 2]
        for trouble in (site.broken, site.silent):
            if trouble.get(path, 0):
                trouble[path] -= 1
                self.wfile.write(half)
                self.wfile.flush()
                if trouble is site.silent:
                    time.sleep(1.0)
                return
        self.wfile.write(body)

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
