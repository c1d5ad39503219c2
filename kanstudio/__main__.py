"""``python -m kanstudio`` is the command ``kanstudio``."""

from __future__ import annotations

from kanstudio.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
