"""Functions for edges: which of the function table an edge looks like, and setting it."""
