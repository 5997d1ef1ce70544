"""Availability: outages as intervals, and the formula over them."""
