"""The demo login of `kontor up`."""

from typing import Any

import pytest

from kontor.app.demo import COMPANY, LOGIN, seed
from support.journey_service import JourneyService, refusal
from support.serving import served


class Counting(JourneyService):
    """Remembers what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str]] = []

    def _answer(self, method: str, path: str, body: dict[str, Any]) -> Any:
        self.asked.append((method, path.removeprefix("/api/v1")))
        if (method, path) == ("DELETE", "/api/v1/sessions/current"):
            return {}
        return super()._answer(method, path, body)

    @property
    def changes(self) -> list[str]:
        return [path for method, path in self.asked if method == "POST" and path != "/sessions"]


def knows_the_login(service: JourneyService, *states: str) -> None:
    service.lies("POST", "/api/v1/sessions", lambda _: {"memberships": [{"state": state} for state in states]})


def test_the_first_start_signs_a_company_up_and_accepts_its_contracts() -> None:
    service = Counting()

    with served(service.app) as url:
        login = seed({"KONTOR_BASE_URL": url, "KONTOR_OUTBOX_URL": url})

    assert login == LOGIN
    assert (service.email, service.company) == (LOGIN.email, COMPANY)
    assert service.changes == ["/signups", "/signups/confirmation", "/tenants", "/contracts/acceptances"]


def test_the_second_start_finds_it_changes_nothing_and_logs_out() -> None:
    service = Counting()
    knows_the_login(service, "active")

    with served(service.app) as url:
        login = seed({"KONTOR_BASE_URL": url, "KONTOR_OUTBOX_URL": url})

    assert login == LOGIN
    assert service.asked == [("POST", "/sessions"), ("DELETE", "/sessions/current")]


@pytest.mark.parametrize(
    ("states", "changes"),
    [((), ["/tenants", "/contracts/acceptances"]), (("onboarding",), ["/contracts/acceptances"])],
)
def test_a_start_that_was_cut_off_is_completed_by_the_next(states: tuple[str, ...], changes: list[str]) -> None:
    service = Counting()
    knows_the_login(service, *states)

    with served(service.app) as url:
        login = seed({"KONTOR_BASE_URL": url, "KONTOR_OUTBOX_URL": url})

    assert login == LOGIN
    assert service.changes == changes


@pytest.mark.parametrize(
    "setting",
    [
        {"KONTOR_DEMO": "off"},
        {"KONTOR_API_HOST": "0.0.0.0"},  # noqa: S104 - that is what is refused
        {"KONTOR_BASE_URL": "https://kontor.example.org"},
        {"KONTOR_OUTBOX_URL": ""},
    ],
)
def test_where_others_could_log_in_or_no_mail_can_be_read_there_is_no_demo(setting: dict[str, str]) -> None:
    service = Counting()

    with served(service.app) as url:
        login = seed({"KONTOR_BASE_URL": url, "KONTOR_OUTBOX_URL": url, **setting})

    assert login is None
    assert service.asked == []


@pytest.mark.parametrize("path", ["/api/v1/sessions", "/api/v1/tenants"])
def test_a_demo_that_cannot_be_made_does_not_stop_the_start(path: str) -> None:
    service = Counting()
    service.lies("POST", path, refusal(503, "database.unavailable", "-"))

    with served(service.app) as url:
        assert seed({"KONTOR_BASE_URL": url, "KONTOR_OUTBOX_URL": url}) is None
