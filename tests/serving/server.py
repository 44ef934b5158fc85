"""MLflow's server of a logged model."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path


class Asked:
    """A server on a free port of this machine."""

    def __init__(self):
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]

    def ask(self, body, kind="application/json"):
        """Return the status and the answer to one request."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/invocations", data, {"Content-Type": kind}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


class Server(Asked):
    """``mlflow models serve`` on a free port; stopped at the end of its ``with``.

    The model is a folder, or an address in the store that a variable names.
    """

    def __init__(self, model, log, **variables):
        super().__init__()
        self._log = log.open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model), "-p",
             str(self.port), "--env-manager", "local", "-w", "1"],
            stdout=self._log, stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                 **variables},
        )  # fmt: skip

    def __enter__(self):
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=2):
                    return self
            except OSError:
                assert self._process.poll() is None, self._log.name
                time.sleep(0.2)
        raise AssertionError("the server did not start")

    def __exit__(self, *_):
        import psutil

        for child in psutil.Process(self._process.pid).children(recursive=True):
            child.terminate()
        self._process.terminate()
        self._process.wait(30)
        self._log.close()


class AppServer(Asked):
    """The application of ``mlflow models serve`` around a loaded model, in a thread."""

    def __init__(self, model):
        super().__init__()
        import uvicorn
        from mlflow.pyfunc import scoring_server

        app = scoring_server.init(model)
        self._server = uvicorn.Server(uvicorn.Config(app, port=self.port, log_level="error"))
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self):
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        self._server.should_exit = True
        self._thread.join(30)
