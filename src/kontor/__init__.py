"""Kontor: the control plane of a managed-AI-assistant service."""
