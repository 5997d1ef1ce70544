"""What the gateway costs: requests a second, added latency, CPU and memory, beside nginx and LiteLLM in the same run.

    make bench-gateway                     3 alternating rounds of 5 s
    ROUNDS=1 SECONDS=2 make bench-gateway  a glance
    LITELLM=off make bench-gateway         without it (its first installation takes minutes)

What is measured has one core for itself; provider, callers and Postgres share the other. The gateway has metering,
budgets and policy on; nginx passes through; LiteLLM has no database, so it neither meters nor limits. The provider is
nginx, too, and answers from memory: a JSON body, or a burst of 50 events in as many chunks. nginx and wrk come from
Debian: `apt-get install -y nginx-light wrk`. Ratios hold on a noisy machine, absolute figures do not. A report with
machine and versions goes to `build/bench-gateway.md`; the last line is one JSON object.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil
from idle import STREAMS, idle_memory_mb
from ingest import EVENTS, ingest_per_s
from load import Seen, load, warm_up
from rich.console import Console
from rich.table import Table
from servers import LITELLM, OTHERS, Target, all_targets

from kontor.core.embedded import EmbeddedPostgres

ROOT: Final = Path(__file__).resolve().parents[2]

ROUNDS: Final = int(os.environ.get("ROUNDS", "3"))
SECONDS: Final = int(os.environ.get("SECONDS", "5"))
WITH_LITELLM: Final = os.environ.get("LITELLM", "on") != "off"
FORMS: Final = ("json", "sse")
CONNECTIONS: Final = (1, 16, 128)
REPORT: Final = ROOT / "build" / "bench-gateway.md"
MISSING: Final = "nginx and wrk are needed. As root: apt-get install -y nginx-light wrk"

Results = dict[tuple[str, str, int], Seen]
console = Console(stderr=True)


def main() -> None:
    """Runs, prints the table, writes the report, and prints one JSON object as the last line."""
    if shutil.which("nginx") is None or shutil.which("wrk") is None:
        sys.exit(MISSING)
    os.sched_setaffinity(0, {int(OTHERS)})  # Postgres inherits it
    with tempfile.TemporaryDirectory(prefix="kontor-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        results = compare(folder)
        console.print(f"{STREAMS} idle streams")
        with EmbeddedPostgres(folder / "idle-postgres", durable=False) as postgres:
            idle_mb, opened = idle_memory_mb(folder / "idle", postgres.url)
        console.print(f"{EVENTS} events into Postgres")
        with EmbeddedPostgres(folder / "ingest-postgres") as postgres:
            ingested = ingest_per_s(folder / "ingest", postgres.url)
    show(results, idle_mb, opened, ingested)


def compare(folder: Path) -> Results:
    """The medians over alternating rounds, by form, target and connections."""
    rounds: dict[tuple[str, str, int], list[Seen]] = {}
    for form in FORMS:
        with ExitStack() as stack:
            postgres = stack.enter_context(EmbeddedPostgres(folder / f"{form}-postgres", durable=False))
            targets = stack.enter_context(all_targets(folder / form, form, postgres.url, with_litellm=WITH_LITELLM))
            for number in range(ROUNDS):
                for connections in CONNECTIONS:
                    for target in targets:
                        seen = one_round(target, form, connections, folder, number)
                        rounds.setdefault((form, target.name, connections), []).append(seen)
    return {key: median(seen) for key, seen in rounds.items()}


def one_round(target: Target, form: str, connections: int, folder: Path, number: int) -> Seen:
    """With a word of progress; the first one of a target is after a warm-up."""
    console.print(f"round {number + 1}: {form}, {connections} connections, {target.name}")
    if number == 0:
        warm_up(target, form, connections, 1, folder)
    return load(target, form, connections, SECONDS, folder)


def median(seen: list[Seen]) -> Seen:
    """Field by field."""
    return Seen(*(statistics.median(getattr(one, field) for one in seen) for field in Seen.__dataclass_fields__))


def show(results: Results, idle_mb: float, opened: int, ingested: float) -> None:
    """The table, the report and the JSON line."""
    heads = ("form", "target", "connections", "requests/s", "added p50 ms", "added p99 ms", "CPU ms/request", "MB")
    rows = [row(results, *key) for key in sorted(results, key=lambda key: (key[0], key[2], -results[key].per_s))]
    table = Table(*heads, title=f"medians of {ROUNDS} rounds of {SECONDS} s")
    for cells in rows:
        table.add_row(*cells)
    Console(width=120).print(table)
    figures = summary(results, idle_mb, ingested)
    machine = (
        f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB, {platform.platform()}, "
        f"Python {platform.python_version()}, {nginx_version()}, LiteLLM {LITELLM}, "
        f"httptools {version('httptools')}, uvloop {version('uvloop')}"
    )
    REPORT.parent.mkdir(exist_ok=True)
    lines = [
        f"# The gateway, beside nginx and LiteLLM\n\n{machine}. Medians of {ROUNDS} rounds of {SECONDS} s.\n",
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
        *("| " + " | ".join(cells) + " |" for cells in rows),
        f"\n{opened} idle streams were open; memory is for {STREAMS}. Ingest: {EVENTS} events, one connection.",
        f"\n`{json.dumps(figures)}`\n",
    ]
    REPORT.write_text("\n".join(lines), encoding="utf-8")
    print(f"{machine}; report: {REPORT.relative_to(ROOT)}")
    print(json.dumps(figures))


def row(results: Results, form: str, name: str, connections: int) -> list[str]:
    """The cells of one line; what is added is beside the provider alone."""
    seen, alone = results[form, name, connections], results[form, "provider", connections]
    if name == "provider":
        return [form, name, str(connections), f"{seen.per_s:,.0f}", "", "", "", ""]
    added = [f"{seen.p50 - alone.p50:.2f}", f"{seen.p99 - alone.p99:.2f}"]
    return [form, name, str(connections), f"{seen.per_s:,.0f}", *added, f"{seen.cpu_ms:.3f}", f"{seen.memory_mb:.0f}"]


def summary(results: Results, idle_mb: float, ingested: float) -> dict[str, float | None]:
    """The figures that have targets; null for what was not measured."""

    def beside(form: str, other: str) -> float | None:
        if (form, other, 16) not in results:
            return None
        return round(results[form, "kontor", 16].per_s / results[form, other, 16].per_s, 3)

    one, alone = results["json", "kontor", 1], results["json", "provider", 1]
    return {
        "json_vs_nginx": beside("json", "nginx"),
        "json_vs_litellm": beside("json", "litellm"),
        "sse_vs_nginx": beside("sse", "nginx"),
        "sse_vs_litellm": beside("sse", "litellm"),
        "cpu_vs_nginx": round(results["json", "kontor", 16].cpu_ms / results["json", "nginx", 16].cpu_ms, 2),
        "added_p50_ms": round(one.p50 - alone.p50, 3),
        "memory_mb": round(max(seen.memory_mb for (_, name, _), seen in results.items() if name == "kontor")),
        "idle_streams_mb": round(idle_mb),
        "ingest_per_s": round(ingested),
    }


def nginx_version() -> str:
    """As it says itself."""
    return (
        subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr.strip().rpartition(": ")[2]
    )


if __name__ == "__main__":
    main()
