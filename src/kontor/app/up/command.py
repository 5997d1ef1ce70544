"""`kontor up` itself: from nothing to the addresses, then watching, then nothing again.

One launcher per state folder. Postgres and the processes survive a killed launcher and are taken over by the next one.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from kontor.app.up.lock import only_launcher
from kontor.app.up.plan import Plan, plan
from kontor.app.up.processes import stop_others
from kontor.app.up.progress import LiveProgress, PlainProgress
from kontor.app.up.startup import start_all
from kontor.app.up.stopping import Interrupted, listening
from kontor.app.up.supervisor import Supervisor
from kontor.core.settings import default_state_dir
from kontor.tenants.provisioning.local import stop_all


@dataclass(frozen=True)
class DemoLogin:
    """Who may log in to look around."""

    email: str
    password: str


Seed = Callable[[Mapping[str, str]], DemoLogin | None]
StopAssistants = Callable[[Path], object]


def no_demo(_: Mapping[str, str]) -> DemoLogin | None:
    """No demo login."""
    return None


def up(
    *,
    seed: Seed = no_demo,
    stop_assistants: StopAssistants = stop_all,
    environment: Mapping[str, str] | None = None,
    console: Console | None = None,
    make_plan: Callable[..., Plan] = plan,
) -> int:
    """Runs until Ctrl-C, SIGTERM or SIGHUP; then nothing runs any more. Returns the exit code 0.

    `seed` gets the processes' environment when all are ready and says who may log in; `stop_assistants` gets the folder
    of instances after API and worker have ended. Raises UpRefused or PostgresNotStarted when it cannot start.
    """
    env = dict(os.environ if environment is None else environment)
    state_dir = Path(env.get("KONTOR_STATE_DIR") or default_state_dir()).absolute()
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
    console = console or Console()
    with only_launcher(state_dir) as lock, listening() as stop, ExitStack() as screen:
        live = LiveProgress(console) if console.is_terminal else None
        progress = screen.enter_context(live) if live else PlainProgress(console)
        supervisor = Supervisor(progress, stop)
        began = time.monotonic()
        try:
            planned = start_all(env, state_dir, supervisor, progress, make_plan)
            login = seed(planned.environment)
            screen.close()
            lock.announce(planned.addresses[0][1])
            _announce(console, planned, login, state_dir, time.monotonic() - began)
            supervisor.watch()
        except Interrupted:
            pass
        finally:
            screen.close()
            progress.say("\nStopping everything. Ctrl-C again kills what is still busy.")
            stop_others(state_dir, keep=supervisor.names)
            supervisor.end(between=lambda: stop_assistants(state_dir / "instances"))
        progress.say("Nothing runs any more. The data stays in " + str(state_dir))
        return 0


def _announce(console: Console, planned: Plan, login: DemoLogin | None, state_dir: Path, took_s: float) -> None:
    lines = [*planned.addresses]
    if login is not None:
        lines.append(("Demo login", f"{login.email}   {login.password}"))
    lines.append(("Ops login", "kontor operators add YOU@EXAMPLE.ORG   in another shell"))
    lines.append(("Logs", str(state_dir / "logs")))
    width = max(len(label) for label, _ in lines)
    console.print(f"\n[bold green]Kontor is running[/] ({took_s:.1f} s). Ctrl-C stops it.\n", highlight=False)
    for label, text in lines:
        console.print(f"  {label:<{width}}  {text}", markup=False, highlight=False, soft_wrap=True)
    console.print()
