"""Saved models: one safetensors file, never code. What is damaged never loads."""

from __future__ import annotations

from kanstudio.files.model import load_network, network_bytes, read_network, save_network

__all__ = ["load_network", "network_bytes", "read_network", "save_network"]
