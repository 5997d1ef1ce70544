"""Whatever dies in the middle: the answer ends well or with a clear error, the next one is there, every token counts.

Run in the order in which they stand, on one running product: the account of tokens is about all tests before it.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from uuid import uuid4

import httpx
import psutil
import pytest

from kontor.app.journey import STEPS, Report, Story, play
from kontor.app.journey.customer import Customer
from kontor.app.journey.play import Step
from kontor.app.journey.screen import Unwatched
from kontor.billing.metering.journal import backlog
from kontor.core.ids import PREFIXES, decode
from support.eventually import eventually, eventually_sync
from support.stack import PROGRAMS, Stack, kill
from support.talker import Heard, Talker, in_thread

pytestmark = [pytest.mark.xdist_group("journeys"), pytest.mark.openclaw]

WITHIN_S = 120.0
SLOW_MS = 60


def steps(first: str, last: str) -> list[Step]:
    names = [step.name for step in STEPS]
    return list(STEPS[names.index(first) : names.index(last) + 1])


async def played(story: Story, first: str, last: str) -> Report:
    report = await play(story, steps(first, last), Unwatched())
    assert report.ok, report.failed
    return report


@pytest.fixture(scope="module")
def story(running: Stack) -> Story:
    """A customer of this file, with a company whose assistant answers; nothing was used before."""
    running.model.forget_counts()

    async def arrive() -> Story:
        async with Customer(running.url, running.outbox_url, "de") as customer:
            made = Story(customer)
            await played(made, "sign_up", "assistant_ready")
            return made

    return asyncio.run(arrive())


@pytest.fixture
def talker(stack: Stack, story: Story) -> Talker:
    """Another end user."""
    return Talker(stack.url, story.customer)


@pytest.fixture
def marker() -> str:
    return f"marker-{uuid4().hex}"


@pytest.fixture
def behaving(stack: Stack) -> Iterator[None]:
    """What the model was told is forgotten afterwards."""
    yield
    stack.model.behave_as_usual()


def assistant_of(stack: Stack, story: Story) -> Callable[[], Awaitable[psutil.Process]]:
    """Finds the process of the company's assistant."""

    async def find() -> psutil.Process:
        [row] = await stack.rows(
            "SELECT instance_id FROM assignments WHERE tenant_id = $1", decode(PREFIXES["tenant"], story.tenant)
        )

        async def runs() -> psutil.Process | None:
            return stack.assistants().get(str(row["instance_id"]))

        return await eventually(runs, within_s=WITHIN_S, what="the assistant's process")

    return find


async def still_remembers(talker: Talker) -> None:
    """The conversation goes on: the assistant works and knows what was said before."""

    async def knows() -> bool:
        heard = await talker.say("Wie heiße ich?")
        assert heard.is_clear or heard.is_cut, heard
        return "Jürgen" in heard.text

    await eventually(knows, within_s=WITHIN_S, what="the next answer")


@pytest.mark.parametrize("victim", ["api", "gateway", "worker", "assistant"])
async def test_a_process_killed_in_a_streaming_answer_costs_at_most_that_answer(
    stack: Stack, story: Story, talker: Talker, marker: str, victim: str
) -> None:
    assert (await talker.say("Guten Tag! Mein Name ist Jürgen.")).is_whole
    stack.model.behave(match=marker, chunk_delay_ms=SLOW_MS)
    process = await assistant_of(stack, story)()

    async def strike() -> None:
        await in_thread(kill, process if victim == "assistant" else psutil.Process(stack.pid(victim)))

    heard = await talker.stream(f"Bitte zähle bis 60. {marker}", then=strike)

    assert heard.pieces >= 3
    if victim == "worker":
        assert heard.is_whole
    elif victim == "api":
        assert heard.is_cut
    else:
        assert heard.is_clear, heard
    await still_remembers(talker)


@pytest.mark.usefixtures("behaving")
@pytest.mark.parametrize(
    ("behaviour", "ends"),
    [
        ({"delay_ms": 4000, "times": 2}, "well"),
        ({"status": 503, "times": 2}, "well"),
        ({"status": 400, "times": 1}, "clearly"),
        ({"disconnect_after": 2, "times": 1}, "clearly"),
    ],
    ids=["slow", "down for a moment", "refusing", "cut"],
)
async def test_a_bad_provider_is_waited_for_or_told(
    stack: Stack, talker: Talker, marker: str, behaviour: dict[str, int], ends: str
) -> None:
    assert (await talker.say("Guten Tag! Mein Name ist Jürgen.")).is_whole
    stack.model.behave(match=marker, **behaviour)

    heard = await talker.say(f"Bitte zähle bis 30. {marker}")

    assert heard.is_whole if ends == "well" else heard.is_clear, heard
    await still_remembers(talker)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "restarted"])
async def test_while_postgres_is_away_requests_succeed_or_say_so(
    stack: Stack, story: Story, talker: Talker, how: signal.Signals
) -> None:
    assert (await talker.say("Guten Tag! Mein Name ist Jürgen.")).is_whole
    before = stack.pid("postgres")
    others = [Talker(stack.url, story.customer) for _ in range(2)]
    answers: list[httpx.Response] = []
    heard: list[Heard] = []
    is_over = asyncio.Event()

    async def read(path: str) -> None:
        headers = {"authorization": story.customer.program.headers["authorization"]}
        async with httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=60) as client:
            while not is_over.is_set():
                answers.append(await client.get(path))

    async def chat(one: Talker) -> None:
        while not is_over.is_set():
            heard.append(await one.say("Guten Tag!"))

    readers = [asyncio.create_task(read(path)) for path in ("/api/v1/usage", "/api/v1/tenant", "/readyz")]
    talkers = [asyncio.create_task(chat(one)) for one in others]

    async def has_load() -> bool:
        return len(answers) > 20 and bool(heard)

    await eventually(has_load, within_s=WITHIN_S, what="load")
    os.kill(before, how)

    async def is_back() -> bool:
        return await asyncio.to_thread(lambda: stack.is_well() and stack.pid("postgres") != before)

    await eventually(is_back, within_s=WITHIN_S, what="Postgres")
    is_over.set()
    await asyncio.gather(*readers, *talkers)

    refused = [answer for answer in answers if answer.status_code != 200]
    assert {answer.status_code for answer in refused} <= {503}
    assert {answer.headers["content-type"] for answer in refused} <= {"application/problem+json"}
    assert {answer.json()["code"] for answer in refused} <= {"database.unavailable"}
    assert [one for one in heard if not one.is_clear] == []
    await still_remembers(talker)


async def test_no_token_was_lost_or_counted_twice(stack: Stack, story: Story) -> None:
    """What the model reported to the end is recorded to the token; the rest is there as estimates, call by call."""
    eventually_sync(lambda: backlog(stack.state / "journal") == 0, within_s=WITHIN_S, what="the journal is empty")

    events = await stack.rows("SELECT * FROM usage_events")

    model = stack.model.counts()
    reported = [one for one in events if one["source"] == "reported" and one["outcome"] != "refused"]
    estimated = [one for one in events if one["source"] == "estimated"]
    assert {one["tenant_id"] for one in events} == {decode(PREFIXES["tenant"], story.tenant)}
    assert len(events) == model["requests"]
    assert len(reported) == model["reported"]
    assert sum(one["input_tokens"] for one in reported) == model["reported_input_tokens"]
    assert sum(one["output_tokens"] for one in reported) == model["reported_output_tokens"]
    assert len(estimated) == model["requests"] - model["reported"] - model["failed"]
    assert stack.run("usage", "verify").returncode == 0


async def test_a_launcher_after_a_killed_one_takes_over_what_runs(stack: Stack, talker: Talker) -> None:
    assert (await talker.say("Guten Tag! Mein Name ist Jürgen.")).is_whole
    before = {name: stack.pid(name) for name in (*PROGRAMS, "postgres")}
    assistants = {name: process.pid for name, process in stack.assistants().items()}

    await in_thread(stack.kill_launcher)
    await in_thread(stack.kill, "outbox")
    assert (await talker.say("Sind Sie noch da?")).is_whole
    said = await asyncio.to_thread(stack.start)

    after = {name: stack.pid(name) for name in before}
    assert "taken over" in said
    assert {name for name in before if before[name] != after[name]} == {"outbox"}
    assert assistants.items() <= {name: process.pid for name, process in stack.assistants().items()}.items()
    await still_remembers(talker)


async def test_a_company_comes_and_goes_while_everything_is_killed_once(stack: Stack, customer: Customer) -> None:
    """Worker, API and its assistant during the setup, the gateway before the first answer, the worker at the end."""
    story = Story(customer, email=f"pech-{uuid4().hex[:8]}@example.org", company="Pechvogel GmbH")
    again = partial(eventually_sync, stack.is_well, within_s=WITHIN_S, what="everything works again")

    await played(story, "sign_up", "company")
    await in_thread(stack.kill, "api")
    await in_thread(again)
    taken = {str(row["instance_id"]) for row in await stack.rows("SELECT instance_id FROM assignments")}
    waiting = [process for name, process in stack.assistants().items() if name not in taken]
    await played(story, "contracts", "contracts")
    await in_thread(stack.kill, "worker")
    for process in waiting:
        await in_thread(kill, process)
    await in_thread(again)
    await played(story, "api_key", "assistant_ready")
    await in_thread(stack.kill, "gateway")
    await played(story, "first_answer", "export")
    [row] = await stack.rows(
        "SELECT count(DISTINCT a.instance_id) AS instances, count(k.id) AS keys FROM assignments a "
        "LEFT JOIN gateway_keys k ON k.instance_id = a.instance_id AND k.revoked_at IS NULL WHERE a.tenant_id = $1",
        decode(PREFIXES["tenant"], story.tenant),
    )
    assert (row["instances"], row["keys"]) == (1, 1)
    await played(story, "deletion", "deletion")
    await in_thread(stack.kill, "worker")
    await played(story, "everything_gone", "everything_gone")

    await nothing_is_orphaned(stack)


async def nothing_is_orphaned(stack: Stack) -> None:
    """Each process and folder belongs to a known instance, each known instance to a company or the pool of one."""

    async def holds() -> bool:
        known = {str(row["id"]) for row in await stack.rows("SELECT id FROM instances")}
        assigned = {str(row["instance_id"]) for row in await stack.rows("SELECT instance_id FROM assignments")}
        folders = {path.name for path in (stack.state / "instances").iterdir() if path.is_dir()}
        assert folders == known
        assert set(stack.assistants()) == known
        return assigned <= known and len(known - assigned) == 1

    await eventually(holds, within_s=WITHIN_S, what="nothing is orphaned")


async def test_ctrl_c_leaves_no_process_and_the_second_start_has_the_data(
    stack: Stack, story: Story, talker: Talker
) -> None:
    assert (await talker.say("Guten Tag! Mein Name ist Jürgen.")).is_whole

    code = await asyncio.to_thread(stack.interrupt)
    left = stack.processes()
    await asyncio.to_thread(stack.start)

    assert (code, left) == (0, [])
    await still_remembers(talker)
    async with Customer(stack.url, stack.outbox_url, "de") as again:
        login = {"email": story.email, "password": story.password}
        assert (await again.browser.post("/api/v1/sessions", json=login)).status_code == 200
