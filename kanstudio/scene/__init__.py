"""Where everything in the picture of a network stands, and how it is drawn without a browser."""
