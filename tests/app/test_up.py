"""`kontor up` as a person uses it: real processes, real signals, with stand-ins for Kontor's own programs."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import support.tiny_up
from kontor.app.up.plan import Program
from kontor.app.up.units import LOG_LIMIT_BYTES, ProcessUnit
from kontor.core.embedded.process import identify
from support.eventually import eventually_sync
from support.places import open_folder

NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none"


class Launcher:
    """A launcher process and what it said."""

    def __init__(self, state: Path, output: Path, environment: dict[str, str]) -> None:
        self._output = output
        with output.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, support.tiny_up.__file__],
                env={**os.environ, "KONTOR_STATE_DIR": str(state), "DATABASE_URL": NO_DATABASE, **environment},
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=state,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self._output.read_text()

    def runs(self) -> "Launcher":
        def check() -> bool:
            assert self.process.poll() is None, self.said
            return "Kontor is running" in self.said

        eventually_sync(check, within_s=60, what="everything runs")
        return self

    def ends(self, *signals: signal.Signals) -> int:
        for number in signals:
            self.process.send_signal(number)
        return self.process.wait(timeout=60)


Start = Callable[..., Launcher]


@pytest.fixture
def state() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def start(state: Path, port: int, tmp_path: Path) -> Iterator[Start]:
    """Starts launchers on the state folder; whatever they leave is killed after the test."""
    launched: list[Launcher] = []

    def begin(**environment: str) -> Launcher:
        settings = {"KONTOR_API_PORT": str(port), **environment}
        launched.append(Launcher(state, tmp_path / f"launcher-{len(launched)}", settings))
        return launched[-1]

    yield begin
    for launcher in launched:
        if launcher.process.poll() is None:
            launcher.process.kill()
            launcher.process.wait()
    for process in processes_of(state):
        process.kill()


def processes_of(state: Path) -> list[psutil.Process]:
    """Everything that runs for a state folder, whoever its parent is."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            environment = process.environ().get("KONTOR_STATE_DIR")
            is_server = str(state / "postgres" / "data") in process.cmdline()
            if process.status() != psutil.STATUS_ZOMBIE and (environment == str(state) or is_server):
                found.append(process)
    return found


def pid_of(state: Path, name: str) -> int:
    return int(json.loads((state / "processes" / f"{name}.json").read_text())["pid"])


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_it_ends_with_the_addresses_and_a_login_and_everything_works(start: Start, port: int) -> None:
    launcher = start().runs()

    assert f"http://127.0.0.1:{port}/" in launcher.said
    assert "demo@kontor.example" in launcher.said
    assert "✓ Schema" in launcher.said
    assert "✓ API" in launcher.said
    assert answers(port)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_with_the_assistants(start: Start, state: Path, number: signal.Signals) -> None:
    launcher = start().runs()

    code = launcher.ends(number)

    assert code == 0
    assert processes_of(state) == []
    assert (state / "assistants-stopped").exists()
    assert "Nothing runs any more" in launcher.said


def test_what_outlives_a_killed_launcher_is_taken_over(start: Start, state: Path, port: int) -> None:
    first = start().runs()
    before = [pid_of(state, "api"), pid_of(state, "worker")]
    first.ends(signal.SIGKILL)
    still_answers = answers(port)

    second = start().runs()
    after = [pid_of(state, "api"), pid_of(state, "worker")]
    second.ends(signal.SIGINT)

    assert still_answers
    assert after == before
    assert "taken over" in second.said
    assert processes_of(state) == []


def test_what_outlives_a_killed_launcher_is_restarted_under_another_configuration(start: Start, state: Path) -> None:
    start().runs().ends(signal.SIGKILL)
    before = pid_of(state, "api")

    second = start(KONTOR_POOL_SIZE="2").runs()

    assert pid_of(state, "api") != before
    assert "restarted with the new" in second.said
    assert len([process for process in processes_of(state) if "-S" in process.cmdline()]) == 1


def test_what_is_not_wanted_any_more_is_stopped(start: Start, state: Path) -> None:
    start().runs().ends(signal.SIGKILL)
    worker = pid_of(state, "worker")

    start(TINY_WORKER="").runs()

    assert identify(worker) is None


def test_a_stranger_with_a_recorded_pid_is_left_alone(start: Start, state: Path) -> None:
    start().runs().ends(signal.SIGINT)
    stranger = subprocess.Popen(["sleep", "600"])
    record = state / "processes" / "worker.json"
    record.write_text(json.dumps({"pid": stranger.pid, "fingerprint": "x"}))
    os.utime(record, (0, 0))

    start().runs()

    assert pid_of(state, "worker") != stranger.pid
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_process_that_dies_comes_back_and_its_last_words_are_shown(start: Start, state: Path, port: int) -> None:
    launcher = start().runs()
    before = pid_of(state, "api")

    os.kill(before, signal.SIGKILL)

    eventually_sync(lambda: launcher.said.count("✓ API") > 1 and answers(port), what="the API answers again")
    assert pid_of(state, "api") != before
    assert "API ended" in launcher.said
    assert "tiny api says hello" in launcher.said


def test_a_second_launcher_says_where_the_first_one_is(start: Start, state: Path, port: int) -> None:
    first = start().runs()

    second = start()
    code = second.ends()

    assert code == 1
    assert f"process {first.process.pid}" in second.said
    assert f"http://127.0.0.1:{port}/" in second.said
    assert first.process.poll() is None
    assert answers(port)
    assert str(state) in second.said


def test_a_part_that_dies_again_and_again_ends_the_start_with_its_log(start: Start, state: Path) -> None:
    launcher = start(TINY_API="echo no table called tenants; exit 3")

    code = launcher.ends()

    assert code == 1
    assert "API did not start" in launcher.said
    assert "no table called tenants" in launcher.said
    assert processes_of(state) == []


def test_a_failed_migration_ends_the_start_and_a_running_installation(start: Start, state: Path) -> None:
    launcher = start(TINY_TASK="echo relation is missing; exit 1", TINY_INSTALL="sleep 600; true")

    code = launcher.ends()

    assert code == 1
    assert "relation is missing" in launcher.said
    assert processes_of(state) == []


def test_it_can_be_stopped_while_it_starts(start: Start, state: Path) -> None:
    launcher = start(TINY_TASK="sleep 600; true")
    eventually_sync((state / "processes" / "migrate.json").exists, what="the migration has begun")

    code = launcher.ends(signal.SIGINT)

    assert code == 0
    assert processes_of(state) == []


def test_ctrl_c_while_the_database_is_made_is_a_stop_and_no_failure(start: Start, state: Path) -> None:
    launcher = start(DATABASE_URL="")
    eventually_sync(lambda: list((state / "postgres").glob("new-*/data/*")), what="the database is being made")

    os.killpg(launcher.process.pid, signal.SIGINT)  # as a terminal does: to everybody in the foreground

    assert launcher.ends() == 0, launcher.said
    assert processes_of(state) == []


def test_a_migration_that_outlives_a_killed_launcher_is_not_run_beside_the_next(start: Start, state: Path) -> None:
    killed = start(TINY_TASK="sleep 600; true")
    eventually_sync((state / "processes" / "migrate.json").exists, what="the migration has begun")
    old = pid_of(state, "migrate")
    killed.ends(signal.SIGKILL)

    start().runs()

    assert identify(old) is None


def test_a_second_ctrl_c_kills_what_does_not_end(start: Start, state: Path) -> None:
    launcher = start(TINY_WORKER="trap '' TERM; while :; do sleep 1; done").runs()
    launcher.process.send_signal(signal.SIGINT)
    eventually_sync(lambda: "Ctrl-C again" in launcher.said, what="it is stopping")

    code = launcher.ends(signal.SIGINT)

    assert code == 0
    assert processes_of(state) == []


def test_an_assistant_that_cannot_be_stopped_keeps_nothing_else_alive(start: Start, state: Path) -> None:
    launcher = start(TINY_STUCK="1").runs()

    code = launcher.ends(signal.SIGINT)

    assert code == 1
    assert "The assistant stays." in launcher.said
    assert processes_of(state) == []


def test_a_taken_port_that_was_asked_for_is_named(start: Start, state: Path, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        launcher = start()
        code = launcher.ends()

    assert code == 1
    assert f"Port {port} from KONTOR_API_PORT" in launcher.said
    assert processes_of(state) == []


def test_the_port_of_the_first_start_is_the_port_of_the_second(start: Start, state: Path) -> None:
    start(KONTOR_API_PORT="").runs().ends(signal.SIGINT)
    first = json.loads((state / "ports.json").read_text())

    start(KONTOR_API_PORT="").runs().ends(signal.SIGINT)

    assert json.loads((state / "ports.json").read_text()) == first


def test_the_master_key_is_made_once_and_only_its_owner_reads_it(start: Start, state: Path) -> None:
    start().runs().ends(signal.SIGINT)
    first = (state / "master.key").read_text()

    start().runs().ends(signal.SIGINT)

    assert (state / "master.key").read_text() == first
    assert (state / "master.key").stat().st_mode & 0o777 == 0o600


def test_the_schema_is_made_once_for_a_database_and_again_for_a_new_one(start: Start, state: Path) -> None:
    task = f"echo made >>{state}/made"
    for _ in range(2):
        start(DATABASE_URL="", TINY_TASK=task).runs().ends(signal.SIGINT)
    once = (state / "made").read_text()
    shutil.rmtree(state / "postgres" / "data")

    start(DATABASE_URL="", TINY_TASK=task).runs().ends(signal.SIGINT)

    assert once == "made\n"
    assert (state / "made").read_text() == "made\nmade\n"


def test_the_schema_is_made_again_after_a_start_that_failed(start: Start, state: Path) -> None:
    task = f"echo made >>{state}/made"
    start(DATABASE_URL="", TINY_TASK=task).runs().ends(signal.SIGINT)
    start(DATABASE_URL="", TINY_TASK=task, TINY_API="exit 1").ends()

    start(DATABASE_URL="", TINY_TASK=task).runs().ends(signal.SIGINT)

    assert (state / "made").read_text() == "made\nmade\n"


def test_somebody_elses_database_is_migrated_at_every_start(start: Start, state: Path) -> None:
    task = f"echo made >>{state}/made"

    for _ in range(2):
        start(TINY_TASK=task).runs().ends(signal.SIGINT)

    assert (state / "made").read_text() == "made\nmade\n"


def test_a_killed_database_comes_back_at_its_old_address(start: Start, state: Path) -> None:
    launcher = start(DATABASE_URL="").runs()
    pid_file = state / "postgres" / "data" / "postmaster.pid"
    old, port = _server(pid_file)

    os.kill(int(old), signal.SIGKILL)

    eventually_sync(lambda: pid_file.exists() and _server(pid_file)[0] != old, what="the database is back")
    eventually_sync(lambda: "Postgres ended" in launcher.said, what="the launcher says so")
    assert _server(pid_file)[1] == port
    assert launcher.ends(signal.SIGINT) == 0
    assert processes_of(state) == []


def test_a_long_log_is_cut_while_its_process_goes_on_writing(state: Path) -> None:
    talker = Program("talker", "Talker", ("/bin/sh", "-c", "while :; do echo more; sleep 0.05; done"), {}, "", None, 1)
    unit = ProcessUnit(talker, state)
    unit.start()
    eventually_sync(unit.log_file.exists, what="it writes")
    with unit.log_file.open("ab") as log:
        log.write(b"x" * LOG_LIMIT_BYTES + b"\n")

    unit.tend()

    eventually_sync(lambda: unit.log_file.read_bytes().startswith(b"more"), what="it writes from the beginning again")
    assert unit.log_file.with_suffix(".log.1").stat().st_size > LOG_LIMIT_BYTES
    assert unit.log_file.stat().st_size < LOG_LIMIT_BYTES
    assert unit.stop(lambda: True)


def _server(pid_file: Path) -> tuple[str, str]:
    lines = pid_file.read_text().splitlines()
    return lines[0], lines[3]
