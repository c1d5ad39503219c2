"""Back again: from a network to the formula that it computes."""
