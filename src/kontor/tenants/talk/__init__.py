"""Talking: conversations of end users with the assistant, and with a human when they ask for one."""
