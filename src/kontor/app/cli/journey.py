"""`kontor journey`: the main job, played and watched."""

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from kontor.app.journey import Report, Story

Plan = Literal["pilot", "starter", "professional", "enterprise"]


def journey(
    url: Annotated[str | None, typer.Option(help="the portal; default: what `kontor up` started here")] = None,
    outbox: Annotated[str | None, typer.Option(help="the mail outbox; default: what `kontor up` started here")] = None,
    plan: Annotated[Plan, typer.Option(help="what the company signs up for")] = "pilot",
    language: Annotated[Literal["de", "en"], typer.Option(help="of the customer")] = "de",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document instead of the list")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="do not delete the company at the end")] = False,
) -> None:
    """Play a customer, from sign-up to deletion, over public HTTP. Exit code 1 when a step fails."""
    from kontor.app.cli.here import url_of

    report, story = asyncio.run(
        _play(url or url_of("api"), outbox or url_of("outbox"), (language, plan), as_json=as_json, keep=keep)
    )
    if as_json:
        sys.stdout.write(report.to_json() + "\n")
    else:
        _conclude(report, story, keep=keep)
    raise typer.Exit(0 if report.ok else 1)


async def _play(
    url: str, outbox: str, choices: tuple[str, str], *, as_json: bool, keep: bool
) -> tuple["Report", "Story"]:
    from rich.console import Console

    from kontor.app.journey import STEPS, Story, play
    from kontor.app.journey.customer import Customer
    from kontor.app.journey.screen import Lines, LiveList, Unwatched

    language, plan = choices
    console = Console()
    watcher = Unwatched() if as_json else LiveList(console) if console.is_terminal else Lines(console)
    async with Customer(url, outbox, language) as customer:
        story = Story(customer, language=language, plan=plan)
        with watcher:
            return await play(story, [one for one in STEPS if not (keep and one.ends_tenant)], watcher), story


def _conclude(report: "Report", story: "Story", *, keep: bool) -> None:
    from rich.console import Console

    console = Console()
    console.print()
    if (failed := report.failed) is not None:
        console.print("The journey failed", style="bold red", end=" ")
        console.print(f"at '{failed.name}': {failed.error}", markup=False, highlight=False, soft_wrap=True)
        if story.slug:
            line = f"Its company is {story.slug}, its login {story.email}   {story.password}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        return
    first = f" First answer {report.first_answer_s:.1f} s after the sign-up began." if report.first_answer_s else ""
    console.print(f"[bold green]The journey is complete[/] in {report.total_s:.1f} s.{first}", highlight=False)
    if keep:
        console.print(f"Log in as {story.email}   {story.password}", markup=False, highlight=False, soft_wrap=True)
