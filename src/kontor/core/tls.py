"""Whom the clients of this process trust: certifi's authorities, whatever the environment says."""

import ssl
from functools import cache

import httpx


@cache
def authorities() -> ssl.SSLContext:
    """For `verify`. Read once in a process: it takes longer than everything else that a client's start needs."""
    return httpx.create_ssl_context(trust_env=False)
