"""The editor without a screen: the document, its commands, its history."""
