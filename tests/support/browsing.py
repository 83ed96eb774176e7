"""Chromium without a window, driven through selenium; what a page shows is awaited, never slept for."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--window-size=1700,1250",
)  # fmt: skip
PATIENCE = 60
HANGS = 30
"""Seconds after which a chromium that loads no page is taken for hung, which it is at times on a busy machine."""
ALL = """
    const all = (root, selector) => [...root.querySelectorAll(selector)].concat(
        [...root.querySelectorAll('*')].flatMap(e => e.shadowRoot ? all(e.shadowRoot, selector) : []));
    const find = selector => all(document, selector);
"""
"""`find(selector)`: also inside of shadow roots, which TensorBoard and bokeh both use."""


class Browser:
    """`open(url)`, `run(javascript)`, `wait(question)`: the question's first answer that is true."""

    def __init__(self, profiles: Path) -> None:
        self.profiles = profiles
        self.driver = started(profiles)

    def open(self, url: str) -> None:
        """Loads the page; a chromium that hangs meanwhile is replaced, twice. Raises what the last one raises."""
        from selenium.common.exceptions import WebDriverException
        from urllib3.exceptions import HTTPError

        for _ in range(2):
            try:
                self.load(url)
                return
            except (WebDriverException, HTTPError):
                self.driver.quit()
                self.driver = started(self.profiles)
        self.load(url)

    def load(self, url: str) -> None:
        self.driver.get("about:blank")  # else a page that differs in its hash alone is not loaded again
        self.driver.get(url)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(ALL + script, *arguments)

    def wait(self, question: str, *arguments: Any) -> Any:
        """Until `return {question}` is true. Raises selenium's TimeoutException."""
        from selenium.webdriver.support.ui import WebDriverWait

        def ask(_: Any) -> Any:
            return self.run(f"return {question}", *arguments)

        return WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05).until(ask, question)

    def hover(self, x: float, y: float) -> None:
        from selenium.webdriver import ActionChains

        chain = ActionChains(self.driver, duration=0)
        for step in (2, 1, 0):  # a pointer that jumps is not seen to move
            chain.w3c_actions.pointer_action.move_to_location(int(x) - step, int(y))
        chain.perform()

    def picture(self, path: Path) -> None:
        self.driver.save_screenshot(str(path))

    def complaints(self) -> list[str]:
        """What the page said on the console that is an error."""
        return [e["message"] for e in self.driver.get_log("browser") if e["level"] == "SEVERE"]


def started(profiles: Path) -> Any:
    """A driver with a chromium whose profile is new, in a folder below `profiles`."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={mkdtemp(dir=profiles)}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    driver.set_page_load_timeout(HANGS)
    return driver


@contextmanager
def chromium(profiles: Path) -> Iterator[Browser]:
    """A browser whose profiles lie below `profiles`."""
    opened = Browser(profiles)
    try:
        yield opened
    finally:
        opened.driver.quit()
