"""The Studio as an app file: ``panel serve main.py``."""

from __future__ import annotations

import panel as pn

from kanstudio.app.local_run import LocalRun
from kanstudio.app.page import create_page

pn.extension("mathjax")
create_page(LocalRun).servable()
