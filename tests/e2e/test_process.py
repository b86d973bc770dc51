"""The commands as processes: `catbot run` without a token, the page in headless Chromium, a clean end by Ctrl-C."""

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from model.catspeak import is_catspeak

TIMEOUT = 60
ROOT = Path(__file__).parents[2]


@contextmanager
def sandboxed(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """`catbot run` in an empty folder without settings: the process and the address that it printed."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("DISCORD_", "CATBOT_", "ADMIN_"))}
    environment |= {"CATBOT_SANDBOX_PORT": "0", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "bot", "run"]
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/", line)
        assert found, line
        assert "DISCORD_TOKEN" in line
        yield process, found[0]
    finally:
        process.kill()
        process.communicate()


def test_run_without_a_token_opens_the_sandbox_and_ends_cleanly(tmp_path: Path) -> None:
    with sandboxed(tmp_path) as (process, address):
        with urllib.request.urlopen(address, timeout=TIMEOUT) as response:
            assert b"<html" in response.read()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert "Unclosed" not in errors
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """Headless Chromium, in Japanese. Missing is a failure in CI and a skip elsewhere."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (binary and driver):
        assert not os.environ.get("CI"), "CI must install chromium and chromium-driver"
        pytest.skip("needs chromium and chromedriver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    quiet = "--disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,800", "--lang=en", *quiet.split()):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={tmp_path / 'chromium'}")
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


class Page:
    """The chat page as a person uses it."""

    def __init__(self, browser: Any, address: str) -> None:
        self._browser = browser
        browser.get(address)
        self.until(lambda: self.all('#bot-status[data-online="true"]'))

    def until(self, look: Callable[[], Any]) -> Any:
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self._browser, TIMEOUT).until(lambda _: look())

    def all(self, selector: str) -> list[Any]:
        return list(self._browser.find_elements("css selector", selector))

    def cat_says(self) -> list[str]:
        return [element.text for element in self.all('.message[data-author-bot="true"] .content')]

    def say(self, text: str) -> str:
        """Mention the cat, and return its answer."""
        before = len(self.cat_says())
        self.all("#mention-cat")[0].click()
        composer = self.all("#composer")[0]
        composer.send_keys(text)
        self.all("#send")[0].click()
        return str(self.until(lambda: self.cat_says()[before:])[0])

    def run(self, command: str, **options: str) -> str:
        """Pick a slash command, fill in its form, and return the answer."""
        before = len(self.cat_says())
        self.all("#composer")[0].send_keys(f"/{command}")
        self.until(lambda: self.all(f'#commands [data-command="{command}"]'))[0].click()
        self.until(lambda: self.all("#run-command"))
        for name, value in options.items():
            self.all(f'[data-option="{name}"]')[0].send_keys(value)
        self.all("#run-command")[0].click()
        return str(self.until(lambda: self.cat_says()[before:])[0])


@pytest.mark.browser
def test_the_page_talks_to_the_cat(tmp_path: Path, browser: Any) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with sandboxed(folder) as (_, address):
        page = Page(browser, address)
        answers = [
            page.say("ただいま！今日もつかれた…"),
            page.say("ご飯あげるよ"),
            page.run("meow", message="who's a good kitty?"),
            page.run("meow"),
        ]
        browser.execute_script("document.activeElement.blur()")
        picture = os.environ.get("CATBOT_SCREENSHOT")
        if picture:
            browser.save_screenshot(picture)
        severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert all(is_catspeak(answer) for answer in answers), answers
    assert severe == []


@pytest.mark.parametrize("options", [[], ["--jsonl"]])
def test_ctrl_c_ends_a_chat_that_waits_for_a_line(tmp_path: Path, options: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "bot", "chat", *options]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write('{"channel": "a", "text": "ご飯だよ"}\n' if options else "ご飯だよ\n")
        process.stdin.flush()
        assert process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()
