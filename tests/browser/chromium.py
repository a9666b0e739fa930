"""The browser of the machine that these tests run on."""

import shutil
from pathlib import Path
from typing import Final

from playwright.sync_api import Playwright

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")

MISSING: Final = (
    "There is no Chromium on this machine. As root on Debian or Ubuntu: apt-get install chromium fonts-dejavu-core. "
    "Otherwise: .venv/bin/python -m playwright install chromium"
)


def find_chromium(playwright: Playwright) -> str:
    """Where it is: the system's, else the one that playwright has downloaded.

    :raises RuntimeError: neither is there; the text says how to get one.
    """
    for program in PROGRAMS:
        if found := shutil.which(program):
            return found
    if Path(downloaded := playwright.chromium.executable_path).exists():
        return downloaded
    raise RuntimeError(MISSING)
