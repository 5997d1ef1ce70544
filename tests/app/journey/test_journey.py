"""The journey says which step failed and why, for everything that a service can get wrong."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from kontor.app.cli.main import app
from kontor.app.journey import STEPS, Report, Story, play
from kontor.app.journey.customer import Customer
from kontor.app.journey.screen import Lines, Unwatched
from kontor.app.journey.story import Patience
from support.journey_service import ERASURE, JourneyService, proof, refusal
from support.serving import served

IMPATIENT = Patience(mail_s=0.2, ready_s=0.2, usage_s=0.2, export_s=0.2, gone_s=0.2)
NAMES = [step.name for step in STEPS]
Lie = Callable[[JourneyService], None]


async def played(service: JourneyService, watcher: Unwatched | None = None) -> Report:
    with served(service.app) as url:
        async with Customer(url, url, "de") as customer:
            story = Story(customer, patience=IMPATIENT)
            return await play(story, STEPS, watcher or Unwatched())


async def test_against_an_honest_service_every_step_goes_well() -> None:
    report = await played(JourneyService())

    assert report.failed is None
    assert [step.name for step in report.steps] == NAMES
    assert all(step.saw for step in report.steps)
    assert report.first_answer_s is not None
    assert report.first_answer_s <= report.total_s


def lie(path: str, answer: Any, method: str = "GET") -> Lie:
    """The service answers a route otherwise."""
    return lambda service: service.lies(method, f"/api/v1{path}" if path[:5] != "/api/" else path, answer)


def changed(**members: Any) -> Callable[[Any], Any]:
    """What the route gives, with other members."""
    return lambda seen: {**seen, **members}


CHAT = "/chat/completions"
ERASED = f"/erasures/{ERASURE}"
LIES: dict[str, tuple[str, str, Lie]] = {
    "the sign-up is limited": (
        "sign_up",
        "rate.limited: Zu viele Versuche.",
        lie("/signups", refusal(429, "rate.limited", "Zu viele Versuche."), "POST"),
    ),
    "the answer has another form": (
        "company",
        "journey.answer: POST /api/v1/tenants has another form: id",
        lie("/tenants", lambda _: {}, "POST"),
    ),
    "no mail comes": ("mail", "journey.timeout: Waited 0.2 s: no mail for", lie("/api/mails", changed(mails=[]))),
    "the mail holds no link": ("mail", "journey.mail", lie("/api/mails/mal_1", changed(links=[]))),
    "the link is used": (
        "verification",
        "link.used: -",
        lie("/signups/confirmation", refusal(410, "link.used", "-"), "POST"),
    ),
    "somebody else is logged in": (
        "verification",
        "journey.person",
        lie("/signups/confirmation", changed(email="eve@example.org"), "POST"),
    ),
    "the company is active at once": ("company", "journey.company", lie("/tenants", changed(state="active"), "POST")),
    "a text differs from its digest": (
        "contracts",
        "journey.contract_digest: the text of 'terms'",
        lie("/contracts/terms", changed(text="§ 1 B")),
    ),
    "documents stay open": (
        "contracts",
        "journey.contracts",
        lie("/contracts/acceptances", changed(is_complete=False), "POST"),
    ),
    "no key is given": ("api_key", "role.not_allowed", lie("/api-keys", refusal(403, "role.not_allowed", "-"), "POST")),
    "the setup failed": (
        "assistant_ready",
        "port_taken: Belegt.",
        lie("/assistant", changed(phase="failed", failure_code="port_taken", failure="Belegt.", is_serving=False)),
    ),
    "the assistant never gets ready": (
        "assistant_ready",
        "journey.timeout: Waited 0.2 s: the assistant stands at: 30 % Ihr Assistent startet.",
        lie("/assistant", changed(is_serving=False, progress=30, step="Ihr Assistent startet.")),
    ),
    "the disclosure is missing": (
        "first_answer",
        "journey.disclosure",
        lie(CHAT, changed(choices=[{"message": {"content": "Hallo!"}}]), "POST"),
    ),
    "the answer is empty": (
        "first_answer",
        "journey.answer",
        lie(CHAT, changed(choices=[{"message": {"content": ""}}]), "POST"),
    ),
    "the conversation is with nobody": (
        "human",
        "journey.human",
        lie("/conversations/cnv_1", changed(state="assistant")),
    ),
    "usage is not what was reported": (
        "usage",
        "journey.timeout: Waited 0.2 s: usage shows 3 calls, 1 tokens in, 10 out; the answers reported 23 in, 10 out",
        lie("/usage", lambda seen: {**seen, "total": {**seen["total"], "input_tokens": 1}}),
    ),
    "the rows do not add up": ("usage", "journey.usage: the rows", lie("/usage", changed(rows=[]))),
    "the export fails": (
        "export",
        "journey.export: Kein Platz.",
        lie("/exports/exp_1", changed(state="failed", error="Kein Platz.")),
    ),
    "the export is never ready": ("export", "journey.timeout", lie("/exports/exp_1", changed(state="running"))),
    "the download has another digest": ("export", "journey.export_digest", lie("/exports/exp_1", changed(sha256="0"))),
    "a file differs from the manifest": (
        "export",
        "journey.export: the manifest differs",
        lambda service: service.lies_in_the_export(company="{ }"),
    ),
    "the deletion is refused": (
        "deletion",
        "erasure.not_confirmed",
        lie("/tenant", refusal(422, "erasure.not_confirmed", "-"), "DELETE"),
    ),
    "the erasure never ends": (
        "everything_gone",
        "journey.timeout: Waited 0.2 s: the erasure stands at: files",
        lie(ERASED, changed(is_done=False, step="files")),
    ),
    "rows are left": (
        "everything_gone",
        "journey.proof: something is left: 2 rows in messages",
        lie(ERASED, changed(proof=proof(rows_left={"messages": 2}))),
    ),
    "a file is left": ("everything_gone", "journey.proof", lie(ERASED, changed(proof=proof(files_left=1)))),
    "a process is left": ("everything_gone", "journey.proof", lie(ERASED, changed(proof=proof(instances_left=1)))),
    "a key is left": ("everything_gone", "journey.proof", lie(ERASED, changed(proof=proof(data_keys_left=1)))),
    "no table was counted": ("everything_gone", "journey.proof", lie(ERASED, changed(proof=proof(rows_left={})))),
    "the audit log is broken": (
        "everything_gone",
        "journey.proof: the audit log",
        lie(ERASED, changed(proof=proof(audit_is_intact=False))),
    ),
    "the proof is missing": ("everything_gone", "journey.proof", lie(ERASED, changed(proof=None))),
    "the session still works": (
        "everything_gone",
        "journey.not_gone: the session",
        lie("/me", lambda _: {"id": "prs_1"}),
    ),
    "the login still works": (
        "everything_gone",
        "journey.not_gone: the login",
        lie("/sessions", lambda _: {"id": "prs_1"}, "POST"),
    ),
}


@pytest.mark.parametrize(("step", "error", "lies"), LIES.values(), ids=LIES.keys())
async def test_a_step_that_fails_ends_the_journey_and_says_why(step: str, error: str, lies: Lie) -> None:
    service = JourneyService()
    lies(service)

    report = await played(service)

    assert report.failed is not None
    assert report.failed.name == step, report.failed
    assert (report.failed.error or "").startswith(error), report.failed.error
    assert not report.ok
    assert [one.name for one in report.steps] == NAMES[: NAMES.index(step) + 1]


@pytest.mark.parametrize(
    ("step", "error", "answers"),
    [
        ("second_answer", "journey.memory", {"Wie heiße ich?": "Das weiß ich nicht."}),
        (
            "second_answer",
            "journey.disclosure: the disclosure came a second time",
            {"Wie heiße ich?": "Sie kommunizieren mit einem KI-gestützten Assistenten von {}. Jürgen."},
        ),
    ],
)
async def test_a_bad_second_answer_is_noticed(step: str, error: str, answers: dict[str, str]) -> None:
    service = JourneyService()

    def other(seen: Any) -> Any:
        question = service.said[-2]["content"] if service.said else ""
        if question not in answers:
            return seen
        return {**seen, "choices": [{"message": {"content": answers[question].format(service.company)}}]}

    service.lies("POST", "/api/v1/chat/completions", other)

    report = await played(service)

    assert report.failed is not None
    assert (report.failed.name, (report.failed.error or "")[: len(error)]) == (step, error)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda body: body.replace(b"data: [DONE]\n\n", b""), "journey.stream: the stream ended without [DONE]"),
        (lambda body: body.replace(b'"content"', b'"nothing"'), "journey.stream: 0 pieces came"),
        (lambda body: b'data: {"error": {"code": "assistant.cut"}}\n\n' + body, "journey.stream: the stream says"),
    ],
)
async def test_a_bad_stream_is_noticed(change: Callable[[bytes], bytes], error: str) -> None:
    service = JourneyService()

    def other(seen: Any) -> Any:
        if isinstance(seen, dict):
            return seen
        seen.body = change(seen.body)
        seen.headers["content-length"] = str(len(seen.body))
        return seen

    service.lies("POST", "/api/v1/chat/completions", other)

    report = await played(service)

    assert report.failed is not None
    assert (report.failed.name, (report.failed.error or "")[: len(error)]) == ("streaming_answer", error)


async def test_an_export_that_leaves_out_what_was_said_is_noticed() -> None:
    service = JourneyService()
    kept = service.zip

    def forgetful(**changes: str) -> bytes:
        service.said, said = service.said[:-2], service.said
        try:
            return kept(**changes)
        finally:
            service.said = said

    service.zip = forgetful  # type: ignore[method-assign]

    report = await played(service)

    assert report.failed is not None
    assert (report.failed.name, report.failed.error) == (
        "export",
        "journey.export: what was said is missing: ['MENSCH', 'Ihre Nachricht geht an einen Menschen.']",
    )


async def test_a_model_that_is_asked_at_the_word_for_a_human_is_noticed() -> None:
    service = JourneyService()

    def asks(seen: Any) -> Any:
        is_human = bool(service.said) and service.said[-2]["content"] == "MENSCH"
        return {**seen, "usage": {"prompt_tokens": 5, "completion_tokens": 1}} if is_human else seen

    service.lies("POST", "/api/v1/chat/completions", asks)

    report = await played(service)

    assert report.failed is not None
    assert (report.failed.name, report.failed.error) == ("human", "journey.human: a model was asked: 6 tokens")


async def test_a_service_that_does_not_answer_is_named_with_its_address() -> None:
    async with Customer("http://127.0.0.1:1", "http://127.0.0.1:1", "de") as customer:
        report = await play(Story(customer), STEPS, Unwatched())

    assert report.failed is not None
    assert (report.failed.error or "").startswith("journey.no_answer: POST http://127.0.0.1:1/api/v1/signups: ")


async def test_people_without_a_terminal_get_a_line_per_step(capsys: pytest.CaptureFixture[str]) -> None:
    service = JourneyService()
    service.lies("GET", "/api/mails", lambda seen: {**seen, "mails": []})

    await played(service, Lines(Console()))

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("✓ Sign-up (")
    assert lines[1].startswith("✗ Mail with link (")
    assert "Does the worker run?" in lines[1]


def test_machines_get_one_document_and_the_exit_code() -> None:
    good, bad = JourneyService(), JourneyService()
    bad.lies("POST", "/api/v1/signups", refusal(503, "database.unavailable", "Gleich wieder."))

    with served(good.app) as url, served(bad.app) as bad_url:
        went_well = CliRunner().invoke(app, ["journey", "--url", url, "--outbox", url, "--json"])
        failed = CliRunner().invoke(app, ["journey", "--url", bad_url, "--outbox", bad_url, "--json"])
        told = CliRunner().invoke(app, ["journey", "--url", bad_url, "--outbox", bad_url])

    document = json.loads(went_well.stdout)
    assert (went_well.exit_code, document["ok"]) == (0, True)
    assert set(document) == {"ok", "steps", "first_answer_s", "total_s"}
    assert set(document["steps"][0]) == {"name", "ok", "seconds", "saw", "error"}
    assert failed.exit_code == told.exit_code == 1
    assert json.loads(failed.stdout)["steps"][-1]["error"].startswith("database.unavailable: Gleich wieder.")
    assert "The journey failed at 'sign_up': database.unavailable: Gleich wieder." in told.stdout


def test_a_kept_company_is_not_deleted_and_its_login_is_told() -> None:
    service = JourneyService()

    with served(service.app) as url:
        ended = CliRunner().invoke(app, ["journey", "--url", url, "--outbox", url, "--keep"])

    assert ended.exit_code == 0
    assert not service.is_gone
    assert f"Log in as {service.email}" in ended.stdout
