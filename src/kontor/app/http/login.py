"""The session cookie: set at login, renewed with every change of rights, deleted at logout."""

from fastapi import Request, Response

from kontor.app.container import Container
from kontor.app.http.deps import cookie_name
from kontor.tenants.people.sessions import LASTS, Device


def device_of(request: Request) -> Device:
    """Where the request comes from."""
    return Device(str(getattr(request.state, "address", "") or ""), request.headers.get("user-agent", ""))


def set_session(response: Response, container: Container, secret: str) -> None:
    """The browser holds the session from now on."""
    response.set_cookie(
        cookie_name(container),
        secret,
        max_age=int(LASTS.total_seconds()),
        path="/",
        secure=container.settings.is_secure,
        httponly=True,
        samesite="lax",
    )


def clear_session(response: Response, container: Container) -> None:
    """The browser forgets the session."""
    response.delete_cookie(
        cookie_name(container), path="/", secure=container.settings.is_secure, httponly=True, samesite="lax"
    )
