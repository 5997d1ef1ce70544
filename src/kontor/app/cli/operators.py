"""`kontor operators`: the operator's staff, each with a second factor from the beginning."""

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kontor.app.cli.surroundings import settings

if TYPE_CHECKING:
    from kontor.app.container import Container
    from kontor.core.ids import PersonId
    from kontor.tenants.people.operators import NewOperator

app = typer.Typer(help="The operator's staff.", no_args_is_help=True)


@app.callback()
def operators() -> None:
    """The operator's staff."""


@app.command()
def add(
    email: Annotated[str, typer.Argument(help="address to log in with")],
    *,
    role: Annotated[Literal["operator", "support", "finance"], typer.Option(help="what they may do")] = "operator",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="read it from standard input")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text and QR code")] = False,
) -> None:
    """Somebody may log in as operator. A second call renews password, role and second factor."""
    from pydantic import TypeAdapter, ValidationError

    from kontor.app.api.texts import Email, Password
    from kontor.app.cli import at_work
    from kontor.tenants.people import operators as staff
    from kontor.tenants.people.model import OperatorRole

    used = settings()
    password = _password(from_stdin=password_stdin)
    try:
        address = TypeAdapter(Email).validate_python(email)
        TypeAdapter(Password).validate_python(password)
    except ValidationError as error:
        typer.echo(f"{error.errors()[0]['msg']} (an address; a password of 10 to 200 characters)", err=True)
        raise typer.Exit(1) from error

    async def work(container: "Container") -> "NewOperator":
        return await staff.add(
            container.database, container.passwords, email=address, password=password, role=OperatorRole(role)
        )

    _print(address, role, at_work.run(used, work), as_json=as_json)


@app.command()
def remove(
    email: Annotated[str, typer.Argument(help="address of somebody of the staff")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text")] = False,
) -> None:
    """Somebody is no operator any more, and logged out everywhere."""
    from kontor.app.cli import at_work
    from kontor.tenants.people import operators as staff
    from kontor.tenants.people.sessions import person_text

    async def work(container: "Container") -> "PersonId":
        return await staff.remove(container.database, email=email)

    facts = {"person": person_text(at_work.run(settings(), work)), "email": email}
    if as_json:
        at_work.print_json(facts)
    else:
        at_work.print_facts(facts)


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _print(email: str, role: str, made: "NewOperator", *, as_json: bool) -> None:
    import segno

    from kontor.app.cli import at_work
    from kontor.tenants.people.sessions import person_text

    facts = {
        "person": person_text(made.person),
        "email": email,
        "role": role,
        "totp_secret": made.totp_secret,
        "uri": made.uri,
    }
    if as_json:
        at_work.print_json(facts)
        return
    at_work.print_facts(facts)
    typer.echo("\nScan this with an authenticator app; it is shown only now. Then log in and enter its code.\n")
    segno.make(made.uri).terminal(out=sys.stdout, compact=True)
