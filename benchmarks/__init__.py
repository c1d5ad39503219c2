"""Speed against pykan, measured side by side. Run ``python -m benchmarks``."""
