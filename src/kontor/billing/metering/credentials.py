"""How a deployment is told that we may call it: the headers of each request.

Secrets stay in these objects: they have no representation, and nothing logs them.
"""

from collections.abc import Mapping
from typing import Final, Protocol

_VERSION: Final = "2023-06-01"  # docs.anthropic.com, "Versioning": the one there is


class Credential(Protocol):
    """Signs requests to one provider."""

    def headers(self, dialect: str, url: str, body: bytes) -> Mapping[str, str]:
        """What one request carries."""


class Nobody:
    """A provider that asks for nothing."""

    def headers(self, dialect: str, url: str, body: bytes) -> Mapping[str, str]:  # noqa: ARG002 - the protocol's
        """None."""
        return {}


class Bearer:
    """`Authorization: Bearer`."""

    def __init__(self, secret: str) -> None:
        self._headers = {"authorization": f"Bearer {secret}"}

    def headers(self, dialect: str, url: str, body: bytes) -> Mapping[str, str]:  # noqa: ARG002
        """The same for all."""
        return self._headers


class ApiKey:
    """Azure's `api-key`."""

    def __init__(self, secret: str) -> None:
        self._headers = {"api-key": secret}

    def headers(self, dialect: str, url: str, body: bytes) -> Mapping[str, str]:  # noqa: ARG002
        """The same for all."""
        return self._headers


class Anthropic:
    """`x-api-key` and a version for its own dialect, a bearer where it speaks OpenAI's."""

    def __init__(self, secret: str) -> None:
        self._own = {"x-api-key": secret, "anthropic-version": _VERSION}
        self._other = {"authorization": f"Bearer {secret}"}

    def headers(self, dialect: str, url: str, body: bytes) -> Mapping[str, str]:  # noqa: ARG002
        """By the dialect."""
        return self._own if dialect == "messages" else self._other


class SigV4:
    """Amazon's signature, version 4, of each request: docs.aws.amazon.com, "Signature Version 4 signing process"."""

    def __init__(self, access_key: str, secret: str, region: str, session_token: str | None = None) -> None:
        from botocore.auth import SigV4Auth  # noqa: PLC0415 - 15 MB that only Bedrock needs
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.credentials import Credentials  # noqa: PLC0415

        self._auth = SigV4Auth(Credentials(access_key, secret, session_token), "bedrock", region)
        self._request = AWSRequest

    def headers(self, dialect: str, url: str, body: bytes) -> Mapping[str, str]:  # noqa: ARG002
        """The signature over method, address, the moment and the body."""
        request = self._request(method="POST", url=url, data=body, headers={"content-type": "application/json"})
        self._auth.add_auth(request)
        return {name.lower(): value for name, value in request.headers.items() if name.lower() != "content-type"}
