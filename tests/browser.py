"""Find a Chromium for the browser tests, or install one.

``python tests/browser.py`` prints its path. It takes what ``KANSTUDIO_BROWSER`` names,
then what is on the PATH, then Playwright's own; where there is none, it installs the
system's (as root with apt-get) or else Playwright's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def starts(path: str) -> bool:
    """Whether it is a browser: Ubuntu's package may be a stub that asks for a snap."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def find() -> str | None:
    """The path of a Chromium that starts, or None."""
    named = os.environ.get("KANSTUDIO_BROWSER")
    for path in filter(None, [named, *map(shutil.which, NAMES)]):
        if starts(path):
            return path
    return playwrights_own()


def playwrights_own() -> str | None:
    """Where Playwright keeps its Chromium, if it has one.

    Asked in a process of its own: Playwright's loop must not linger in this one.
    """
    code = (
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as p: print(p.chromium.executable_path)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    path = done.stdout.strip()
    return path if path and Path(path).exists() else None


def install() -> None:
    """Install a Chromium by the system's packages or by Playwright."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "-qq", "update"], env=quiet, check=False)
        command = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", "chromium"]
        subprocess.run(command, env=quiet, stdout=subprocess.DEVNULL, check=False)
        if find():
            return
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


def main() -> int:
    path = find()
    if path is None:
        install()
        path = find()
    if path is None:
        print(
            "The browser tests need Chromium and none could be installed: install it with your"
            " system's packages, or name it in KANSTUDIO_BROWSER.",
            file=sys.stderr,
        )
        return 1
    print(f"Browser: {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
