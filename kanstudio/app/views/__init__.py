"""The parts of the page, each with its script."""
