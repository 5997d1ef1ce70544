"""Instances: what should run, what runs, and how the one becomes the other."""
