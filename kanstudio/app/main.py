"""The Studio as an app file: ``panel serve main.py``."""

from __future__ import annotations

import panel as pn
import torch

from kanstudio.app.lobby import shared_lobby
from kanstudio.app.page import create_page
from kanstudio.app.workshop import trainer

pn.extension("mathjax")
# Several threads on small tensors are slower than one, and other sessions want the cores.
torch.set_num_threads(1)
# Started early: the first Train need not wait for a process.
trainer()
create_page(trainer, shared_lobby()).servable()
