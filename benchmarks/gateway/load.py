"""wrk against one target: requests a second, latencies, and what the target's process used for a request."""

import json
import math
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from servers import OTHERS, Target

QUESTION: Final = {
    "model": "assistant",
    "messages": [{"role": "user", "content": "Wann haben Sie morgen geöffnet? " * 8}],
}


@dataclass(frozen=True)
class Seen:
    """One round: latencies and CPU time in ms, the CPU time per request; memory after it in MB."""

    per_s: float
    p50: float
    p99: float
    cpu_ms: float
    memory_mb: float


def load(target: Target, form: str, connections: int, seconds: int, folder: Path) -> Seen:
    """Callers for so many seconds. Ends the program when an answer was not as it should be."""
    before = _cpu_s(target.process)
    said = _wrk(target, form, connections, seconds, folder)
    spent = _cpu_s(target.process) - before
    found = re.search(r"^(\d+) (\d+) (\d+) (\d+) (\d+)$", said, re.MULTILINE)
    if found is None or int(found[5]):
        sys.exit(f"{target.name} did not answer as it should:\n{said}")
    requests, duration_us, p50, p99, _ = map(int, found.groups())
    memory = target.process.memory_info().rss / 1e6 if target.process is not None else 0.0
    if requests == 0:  # none was complete by the end
        return Seen(0.0, math.nan, math.nan, math.nan, memory)
    return Seen(requests / (duration_us / 1e6), p50 / 1000, p99 / 1000, spent * 1000 / requests, memory)


def warm_up(target: Target, form: str, connections: int, seconds: int, folder: Path) -> None:
    """The same without looking."""
    _wrk(target, form, connections, seconds, folder)


def _wrk(target: Target, form: str, connections: int, seconds: int, folder: Path) -> str:
    script = folder / "post.lua"
    body = json.dumps(QUESTION | ({"stream": True} if form == "sse" else {}), ensure_ascii=False)
    headers = "".join(f'wrk.headers["{name}"] = "{value}"\n' for name, value in target.headers.items())
    script.write_text(
        f'wrk.method = "POST"\nwrk.body = [==[{body}]==]\nwrk.headers["content-type"] = "application/json"\n{headers}'
        'done = function(s, l, r) io.write(string.format("%d %d %d %d %d\\n", s.requests, s.duration, '
        "l:percentile(50), l:percentile(99), s.errors.status + s.errors.read + s.errors.timeout)) end\n"
    )
    command = ["taskset", "-c", OTHERS, "wrk", "-t1", "--timeout", "30s", f"-c{connections}", f"-d{seconds}s"]
    done = subprocess.run([*command, "-s", str(script), target.url], capture_output=True, text=True, check=True)
    return done.stdout


def _cpu_s(process: psutil.Process | None) -> float:
    if process is None:
        return 0.0
    used = process.cpu_times()
    return float(used.user + used.system)
