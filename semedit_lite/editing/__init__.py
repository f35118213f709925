"""Editors: one a tool, all on the same immutable `Document`."""
