"""What would run on one machine: the plan and its ports, without starting anything."""

from pathlib import Path

import pytest

from kontor.app.up import ports
from kontor.app.up.errors import UpRefused
from kontor.app.up.plan import Plan, plan

STATE = Path("/srv/kontor")


def planned(
    environment: dict[str, str] | None = None, *, version: str = "1", api_port: int = 8080, installed: bool = False
) -> Plan:
    return plan(
        environment or {},
        python="python3",
        state_dir=STATE,
        database_url="postgresql://localhost/kontor",
        master_key="key",
        ports={**ports.USUAL, "api": api_port},
        version=version,
        needs_openclaw=not installed,
    )


def names(of: Plan) -> list[str]:
    return [program.name for program in of.programs]


def test_everything_runs_when_nothing_is_configured() -> None:
    found = planned()

    assert names(found) == ["model", "outbox", "gateway", "api", "worker"]
    assert found.programs[0].command == ("python3", "-m", "kontor.app.cli", "model")
    assert dict(found.addresses)["Portal"] == "http://127.0.0.1:8080/"
    assert found.environment["KONTOR_SMTP_URL"] == "smtp://127.0.0.1:8025"
    assert found.environment["KONTOR_POOL_SIZE"] == "1"


@pytest.mark.parametrize(
    "provider", ["OPENAI_BASE_URL", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MISTRAL_API_KEY", "OLLAMA_BASE_URL"]
)
def test_the_built_in_model_gives_way_to_a_provider(provider: str) -> None:
    with_provider = planned({provider: "x"})
    with_an_empty_one = planned({provider: ""})

    assert "model" not in names(with_provider)
    assert "model" in names(with_an_empty_one)


def test_the_outbox_gives_way_to_a_real_mail_server() -> None:
    found = planned({"KONTOR_SMTP_URL": "smtp://mail.example:587"})

    assert "outbox" not in names(found)
    assert "Mail outbox" not in dict(found.addresses)
    assert "KONTOR_OUTBOX_URL" not in found.environment


def test_every_url_follows_the_ports() -> None:
    found = planned(api_port=9090)

    api = next(program for program in found.programs if program.name == "api")
    assert api.ready_url == "http://127.0.0.1:9090/readyz"
    assert found.environment["KONTOR_BASE_URL"] == "http://127.0.0.1:9090"
    assert dict(found.addresses)["Operators"] == "http://127.0.0.1:9090/ops/tenants"
    assert dict(found.addresses)["OpenAPI"] == "http://127.0.0.1:9090/api/v1/openapi.json"


def test_an_address_that_the_operator_sets_wins() -> None:
    found = planned({"KONTOR_BASE_URL": "https://kontor.example"})

    assert found.environment["KONTOR_BASE_URL"] == "https://kontor.example"
    assert dict(found.addresses)["Portal"] == "https://kontor.example/"


def test_the_fingerprint_changes_with_version_and_configuration_only() -> None:
    before = planned({"TERM": "xterm"}).programs[0].fingerprint

    assert planned({"TERM": "dumb"}).programs[0].fingerprint == before
    assert planned(version="2").programs[0].fingerprint != before
    assert planned({"KONTOR_POOL_SIZE": "3"}).programs[0].fingerprint != before
    assert planned(api_port=9090).programs[0].fingerprint != before


def test_openclaw_is_installed_when_it_is_missing() -> None:
    assert [task.name for task in planned(installed=False).installs] == ["openclaw"]
    assert planned(installed=True).installs == []


def test_the_usual_ports_are_taken_when_they_are_free() -> None:
    assert ports.choose({}, {}, set(), lambda _: True) == ports.USUAL


def test_a_taken_port_gives_way_to_the_next_free_one_that_nobody_else_gets() -> None:
    chosen = ports.choose({}, {}, set(), lambda port: port not in {8080, 8085})

    assert chosen["api"] not in {8080, 8085}
    assert len(set(chosen.values())) == len(chosen)


def test_the_ports_of_last_time_are_kept_while_they_are_free() -> None:
    chosen = ports.choose({}, {"api": 9000, "worker": 9001}, set(), lambda port: port != 9001)

    assert chosen["api"] == 9000
    assert chosen["worker"] == ports.USUAL["worker"]


def test_a_port_on_which_our_own_process_still_listens_is_kept() -> None:
    chosen = ports.choose({}, {"api": 9000}, {"api"}, lambda port: port != 9000)

    assert chosen["api"] == 9000


def test_a_port_that_was_asked_for_is_used_or_refused_with_its_variable() -> None:
    asked = {"KONTOR_API_PORT": "9100"}

    assert ports.choose(asked, {"api": 9000}, set(), lambda _: True)["api"] == 9100
    with pytest.raises(UpRefused, match="KONTOR_API_PORT") as refusal:
        ports.choose(asked, {}, set(), lambda port: port != 9100)
    assert refusal.value.code == "up.port_taken"


@pytest.mark.parametrize("name", ports.USUAL)
def test_every_port_can_be_asked_for(name: str) -> None:
    """Else two on one machine meet at the one that cannot."""
    assert ports.choose({ports.VARIABLES[name]: "9100"}, {}, set(), lambda _: True)[name] == 9100


def test_two_names_cannot_ask_for_one_port() -> None:
    with pytest.raises(UpRefused, match="9100"):
        ports.choose({"KONTOR_API_PORT": "9100", "KONTOR_GATEWAY_PORT": "9100"}, {}, set(), lambda _: True)


def test_a_damaged_file_of_ports_counts_as_none(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    ports.remember(file, {"api": 9000})
    kept = ports.recall(file)
    file.write_text('{"api": "nine')

    assert kept == {"api": 9000}
    assert ports.recall(file) == {}
