"""The browser: Chromium, as Debian has it."""

import contextlib
import os
import shutil

from playwright.sync_api import sync_playwright


@contextlib.contextmanager
def launch():
    """A browser without a window, which never asks anybody outside of this machine."""
    chromium = shutil.which("chromium")
    assert chromium, "no chromium here: apt-get install chromium"
    # Chromium refuses its sandbox to root, which is who runs tests in containers.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
