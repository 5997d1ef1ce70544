"""Wiring and edges: HTTP, portal, processes, command line. No business rule."""
