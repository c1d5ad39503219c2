"""The network as an immutable value, its evaluation, its edits and its measures."""
