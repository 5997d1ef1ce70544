"""Metering, prices and, later, money."""
