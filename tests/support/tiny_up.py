"""`kontor up` over stand-ins that start in milliseconds: a web server as API, and a worker that only waits.

Environment: TINY_API, TINY_WORKER, TINY_INSTALL and TINY_TASK (the migration) are shell commands to run instead.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from kontor.app.up.command import DemoLogin, up
from kontor.app.up.errors import UpRefused
from kontor.app.up.plan import ACTING, SERVING, Plan, Program, Task, fingerprint
from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Text

SERVER = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
print("tiny api says hello", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


def tiny_plan(
    environment: Mapping[str, str], *, python: str, database_url: str, ports: Mapping[str, int], **_: object
) -> Plan:
    env = {**environment, "DATABASE_URL": database_url}
    mark = fingerprint(env, "tiny")
    url = f"http://127.0.0.1:{ports['api']}/"
    worker = environment.get("TINY_WORKER", "exec sleep 600")
    api: tuple[str, ...] = (python, "-S", "-c", SERVER, str(ports["api"]))
    if "TINY_API" in environment:
        api = ("/bin/sh", "-c", environment["TINY_API"])
    programs = [
        Program("api", "API", api, env, mark, url, SERVING),
        *([Program("worker", "Worker", ("/bin/sh", "-c", worker), env, mark, None, ACTING)] if worker else []),
    ]
    return Plan(
        environment=env,
        installs=[Task("openclaw", "OpenClaw", ("/bin/sh", "-c", environment.get("TINY_INSTALL", "true")), env)],
        migrate=Task("migrate", "Schema", ("/bin/sh", "-c", environment.get("TINY_TASK", "true")), env),
        programs=programs,
        addresses=[("Portal", url)],
    )


def main() -> int:
    try:
        return up(
            make_plan=tiny_plan,
            seed=lambda _: DemoLogin("demo@kontor.example", "look-around"),
            stop_assistants=stop_assistants,
        )
    except DomainError as refusal:
        print(refusal.sentence("en"), flush=True)  # noqa: T201 - a program that prints
        return 1


def stop_assistants(instances: Path) -> None:
    """Leaves a note; TINY_STUCK makes it fail instead."""
    if "TINY_STUCK" in os.environ:
        raise UpRefused(Kind.UNAVAILABLE, "stuck", Text(de="Der Assistent bleibt.", en="The assistant stays."))
    (instances.parent / "assistants-stopped").touch()


if __name__ == "__main__":
    os.environ["PYTHONUNBUFFERED"] = "1"
    sys.exit(main())
