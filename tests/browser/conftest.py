"""Headless Chromium that reaches nothing but this machine, and MLflow's UI on a real store."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

# Selenium looks for drivers in a network, and reports that it did, unless told otherwise.
os.environ["SE_OFFLINE"] = "true"
os.environ["SE_AVOID_STATS"] = "true"

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
# Errors on the console that MLflow's own page makes with any store.
HARMLESS = (
    "/mlflow/users/current - Failed to load resource",  # asked although there are no users
    "ResizeObserver loop completed with undelivered notifications",
)
BROKEN = ("Something went wrong", "Page not found", "Failed to load", "error occurred")


class Page:
    """One tab; every check waits for what must appear, never for the network to be idle."""

    def __init__(self, driver, screenshots: Path) -> None:
        self.driver = driver
        self.screenshots = screenshots

    def open(self, url: str) -> None:
        self.driver.get("about:blank")  # a page that differs after its # only is not loaded anew
        self.driver.get(url)

    @property
    def text(self) -> str:
        return self.driver.find_element("tag name", "body").text

    def wait(self, condition, what: str, seconds: float = 60):
        """Return the first true value of ``condition()``."""
        from selenium.common.exceptions import WebDriverException

        end = time.monotonic() + seconds
        while True:
            try:
                if value := condition():
                    return value
            except WebDriverException:  # the element is not there yet, or was drawn anew
                pass
            assert time.monotonic() < end, f"not seen: {what}\n{self.text}"
            time.sleep(0.2)

    def sees(self, *words: str) -> None:
        for word in words:
            self.wait(lambda word=word: word in self.text, word)

    def find(self, css: str):
        """Return the visible elements of a selector, once there are any."""
        return self.wait(
            lambda: [e for e in self.driver.find_elements("css selector", css) if e.is_displayed()],
            css,
        )

    def click(self, css: str, text: str = "") -> None:
        def clicked() -> bool:
            element = next(e for e in self.find(css) if text in e.text)
            element.click()
            return True

        self.wait(clicked, f"{css} with {text!r}")

    def click_path(self, xpath: str) -> None:
        """Click what an XPath finds, once it can be clicked."""

        def clicked() -> bool:
            self.driver.find_element("xpath", xpath).click()
            return True

        self.wait(clicked, xpath)

    def shoot(self, name: str) -> None:
        """Keep what is seen now for a person to look at."""
        time.sleep(0.5)  # lines are drawn with a short animation
        self.driver.save_screenshot(str(self.screenshots / f"{name}.png"))

    def errors(self) -> list[str]:
        """Return errors on the console and on the page, except those known to be harmless."""
        logged = [e["message"] for e in self.driver.get_log("browser") if e["level"] == "SEVERE"]
        told = [word for word in BROKEN if word in self.text]
        return told + [m for m in logged if not any(known in m for known in HARMLESS)]

    def strangers(self) -> set[str]:
        """Return every address that was asked for and is not on this machine."""
        entries = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        asked = {
            entry["params"]["request"]["url"]
            for entry in entries
            if entry["method"] == "Network.requestWillBeSent"
        }
        return {
            url for url in asked if not re.match(r"(http://127\.0\.0\.1:|file:|data:|blob:)", url)
        }


@pytest.fixture(scope="session")
def screenshots(root) -> Path:
    folder = root / "build/screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def driver() -> Iterator:
    browser = next(filter(None, map(shutil.which, CHROMIUM)), None)
    service = shutil.which("chromedriver")
    if not (browser and service):
        pytest.skip("needs chromium and chromedriver on the path (Debian: chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in (
        "--headless=new",
        "--no-sandbox",  # for root, as in a container
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--window-size=1600,1400",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options, webdriver.ChromeService(service))
    yield started
    started.quit()


@pytest.fixture
def page(driver, screenshots) -> Iterator[Page]:
    """A tab; after the test no error may have been shown and no other machine asked."""
    made = Page(driver, screenshots)
    yield made
    assert made.errors() == []
    assert made.strangers() == set()


class Server:
    """``plumbline ui``, as a user starts it.

    Attributes
    ----------
    models, pipeline, runs : str
        The addresses it prints: of all models, of the newest pipeline, and of all pipelines.
    """

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.log = folder.parent / "ui.log"
        with self.log.open("w") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "plumbline.cli", "ui", "--port", str(port)],
                cwd=folder,
                env=env,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        self._wait(f"http://127.0.0.1:{port}/health")
        self.models, self.pipeline, self.runs = re.findall(
            r"http://127\S+#/\S+", self.log.read_text()
        )

    def _wait(self, health: str) -> None:
        end = time.monotonic() + 120
        while self.process.poll() is None and time.monotonic() < end:
            try:
                with urllib.request.urlopen(health, timeout=5):
                    return
            except OSError:
                time.sleep(0.3)
        raise AssertionError(self.log.read_text())

    def close(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise


@pytest.fixture(scope="session")
def server(driver, clone) -> Iterator[Server]:
    made = Server(clone.folder, clone.env)
    yield made
    made.close()
