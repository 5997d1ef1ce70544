"""Sign-up to first answer: how long a new customer waits, without a warm pool and with one.

    make bench-journey                 20 runs each
    RUNS=3 make bench-journey          fewer

Starts `kontor up` on a state folder and ports of its own, plays the journey's steps up to the first answer, deletes
the company, and waits until the machine is as it was before. The last line is one JSON object. What is measured is
what the customer sees: from the first request of the sign-up to the last byte of the first answer, with the built-in
model, on a machine on which OpenClaw is installed.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kontor.app.journey import STEPS, Report, Story, play, steps_until
from kontor.app.journey.customer import Customer
from kontor.app.journey.screen import Unwatched

BIN = Path(sys.executable).parent
START_WITHIN_S = 300
POOL_WITHIN_S = 180
LEAVING = tuple(step for step in STEPS if step.ends_tenant)
console = Console(stderr=False)


@dataclass(frozen=True)
class Stack:
    """What `kontor up` started."""

    url: str
    outbox: str
    environment: dict[str, str]


@contextmanager
def a_stack(pool_size: int) -> Iterator[Stack]:
    """Everything runs on an empty state folder; nothing does afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="kontor-bench-"))
    folder.chmod(0o711)
    environment = {
        **os.environ,
        "KONTOR_STATE_DIR": str(folder / "state"),
        "KONTOR_POOL_SIZE": str(pool_size),
        "KONTOR_DEMO": "off",
        "TRUSTED_PROXIES": "127.0.0.1/32",  # each run is a customer with an address of its own
    }
    log = (folder / "up.log").open("w+")
    process = subprocess.Popen([BIN / "kontor", "up"], env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        ports = _ports(process, folder)
        yield Stack(f"http://127.0.0.1:{ports['api']}", f"http://127.0.0.1:{ports['outbox']}", environment)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(120)
        log.close()
        shutil.rmtree(folder)


def _ports(process: subprocess.Popen[bytes], folder: Path) -> dict[str, int]:
    deadline = time.monotonic() + START_WITHIN_S
    while "Kontor is running" not in (folder / "up.log").read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit("kontor up did not start:\n" + (folder / "up.log").read_text())
        time.sleep(0.2)
    return dict(json.loads((folder / "state" / "ports.json").read_text()))


async def one_run(stack: Stack, number: int) -> Report:
    """One customer, from sign-up to the first answer, and gone again."""
    address = {"x-forwarded-for": f"198.51.100.{number % 250 + 1}"}
    async with Customer(stack.url, stack.outbox, "de", address) as customer:
        story = Story(customer)
        report = await play(story, steps_until("first_answer"), Unwatched())
        gone = await play(story, LEAVING, Unwatched())
    for played in (report, gone):
        if played.failed is not None:
            sys.exit(f"run {number}: {played.failed.name}: {played.failed.error}")
    return report


def await_pool(stack: Stack, size: int) -> None:
    """As many assistants as the pool should hold are ready, and no other is there."""
    deadline = time.monotonic() + POOL_WITHIN_S
    while True:
        listed = subprocess.run(
            [BIN / "kontor", "instances", "--json"],
            env=stack.environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        found = [(one["phase"], one["observed"]) for one in json.loads(listed.stdout)]
        if found == [("ready", "ready")] * size:
            return
        if time.monotonic() > deadline:
            sys.exit(f"the pool of {size} is not warm after {POOL_WITHIN_S} s: {found}")
        time.sleep(1.0)


def measure(name: str, pool_size: int, runs: int) -> list[Report]:
    """The reports of all runs."""
    reports = []
    with a_stack(pool_size) as stack:
        for number in range(runs):
            await_pool(stack, pool_size)
            report = asyncio.run(one_run(stack, number))
            reports.append(report)
            console.print(f"{name} {number + 1:2}/{runs}: {report.first_answer_s:.2f} s", highlight=False)
    return reports


def quantile(values: Sequence[float], share: float) -> float:
    """By the nearest rank: a value that was measured, never one in between."""
    ordered = sorted(values)
    return round(ordered[max(0, -(-int(share * 100) * len(ordered) // 100) - 1)], 3)


def show(reports: dict[str, list[Report]]) -> None:
    """A table of the steps' medians."""
    table = Table(title="Sign-up to first answer, seconds", box=None, title_justify="left")
    table.add_column("step (median)")
    for name in reports:
        table.add_column(name, justify="right")
    for index, step in enumerate(steps_until("first_answer")):
        medians = (statistics.median(report.steps[index].seconds for report in runs) for runs in reports.values())
        table.add_row(step.title, *(f"{median:.2f}" for median in medians))
    for title, share in (("all: p50", 0.5), ("all: p95", 0.95)):
        table.add_row(title, *(f"{quantile(totals(runs), share):.2f}" for runs in reports.values()), style="bold")
    table.add_row(
        "all: best - worst", *(f"{min(totals(runs)):.2f} - {max(totals(runs)):.2f}" for runs in reports.values())
    )
    console.print(table)


def totals(reports: Sequence[Report]) -> list[float]:
    """Sign-up to first answer of each run."""
    return [report.first_answer_s or 0.0 for report in reports]


def main() -> None:
    """Both measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=int(os.environ.get("RUNS") or 20), help="of each; default 20")
    runs = parser.parse_args().runs
    reports = {"cold": measure("cold", 0, runs), "pooled": measure("pooled", 1, runs)}
    show(reports)
    figures = {
        f"{name}_{title}_s": quantile(totals(found), share)
        for name, found in reports.items()
        for title, share in (("p50", 0.5), ("p95", 0.95))
    }
    print(json.dumps({**figures, "runs": runs}), flush=True)


if __name__ == "__main__":
    main()
