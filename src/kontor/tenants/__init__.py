"""Lifecycle of a tenant and its assistant."""
