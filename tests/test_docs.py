"""The documents stay true: links lead somewhere, and what they name exists, and what exists is named."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

import pytest
from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo

from kontor.app.http.errors import STATUS
from kontor.app.up import ports
from kontor.core.errors import DomainError, Kind
from kontor.core.settings import Settings
from kontor.tenants.provisioning import failures

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src/kontor"
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
OPERATIONS = ROOT / "docs/operations.md"
API = ROOT / "docs/api.md"

NOT_OURS: Final = frozenset({"PATH"})
FAILURES_OF_PEERS: Final = (
    "usage lost when the process dies",
    "usage lost beyond a batch",
    "two first requests at once both pass the budget",
    "flushers that lock each other out",
    "a route that bypasses metering",
    "a budget for each replica",
    "an empty request id as primary key",
)
METRICS: Final = frozenset({"Counter", "Gauge", "Histogram"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_heading_finds_it(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            aim = page.parent / target if target else page
            assert anchor in _anchors(aim), f"{page.name}: {target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

    assert set(re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8"))) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_test_that_is_named_exists(page: Path) -> None:
    for path, name in re.findall(r"`(tests/[^`:]+)::(\w+)`", page.read_text(encoding="utf-8")):
        assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), name


def test_every_known_failure_of_peers_has_a_test() -> None:
    told = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").partition("| failure | test |")[2]

    assert len(re.findall(r"^\| .+ \| `tests/\S+::test_\w+` \|$", told, re.MULTILINE)) == len(FAILURES_OF_PEERS)
    for failure in FAILURES_OF_PEERS:
        assert f"| {failure} |" in told


def test_operations_lists_every_setting_with_its_default() -> None:
    table = _table(OPERATIONS)

    for name, setting in Settings.model_fields.items():
        variable = _variables_of(name, setting)[0]
        assert variable in table, f"{variable} is missing in operations.md"
        assert _shown_default(setting) in table[variable], f"{variable} has another default"


def test_operations_lists_every_port() -> None:
    table = _table(OPERATIONS)

    for name, variable in ports.VARIABLES.items():
        assert variable in table, f"{variable} is missing in operations.md"
        assert f"`{ports.USUAL[name]}`" in table[variable], f"{variable} has another default"


def test_operations_lists_every_variable_that_is_read_without_the_settings() -> None:
    assert _read_directly() - _of_settings() <= _table(OPERATIONS).keys()


def test_operations_names_no_variable_that_nobody_reads() -> None:
    named = set(re.findall(r"\bKONTOR_[A-Z_]+", OPERATIONS.read_text(encoding="utf-8")))

    assert named
    assert named <= _of_settings() | set(ports.VARIABLES.values()) | _read_directly()


def test_operations_lists_every_metric_and_no_other() -> None:
    made = {
        call.args[0].value
        for _, tree in _modules(SOURCE)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and _name_of(call.func) in METRICS and call.args
        if isinstance(call.args[0], ast.Constant)
    }

    assert made
    assert {name for name in _table(OPERATIONS) if name.startswith("kontor_")} == made


def test_operations_says_what_to_do_about_every_failure_of_an_assistant() -> None:
    told = _table(OPERATIONS, "When an assistant fails").keys()

    assert {code for code in told if not code.endswith("_N")} == failures.CODES


def test_architecture_names_every_room() -> None:
    rooms = {one.parent.relative_to(SOURCE).as_posix() for one in SOURCE.glob("*/*/__init__.py")}

    assert rooms
    assert {name for name in _table(ROOT / "docs/architecture.md") if "/" in name} == rooms


def test_api_lists_every_error_code_and_no_other() -> None:
    listed, existing = set(_table(API)), _Codes(SOURCE).all.keys()

    assert existing - listed == set(), "missing in api.md"
    assert listed - existing == set(), "in api.md, and nowhere in the code"


def test_api_lists_error_codes_with_their_status() -> None:
    codes = _Codes(SOURCE).all

    for code, row in _table(API).items():
        status, *more = row.split(" | ")
        if len(more) == 2:  # else it is one that is never answered over HTTP
            shown = set(re.findall(r"\b[1-5]\d\d\b|4xx", status))
            assert shown, f"{code}: no status"
            assert not codes.get(code) or shown <= {str(int(one)) for one in codes[code]}, f"{code}: {status}"


def test_the_codes_of_refusals_are_found_however_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "refusals.py").write_text(
        """
class Plain(DomainError):
    def __init__(self):
        super().__init__(Kind.GONE, "a.plain", 1)
class Soft(Unavailable):
    def __init__(self):
        super().__init__("a.soft", 1)
class Group(DomainError):
    def __init__(self, code, text):
        super().__init__(Kind.LIMITED, f"g.{code}", text)
class Default(DomainError):
    def __init__(self, code="a.default"):
        super().__init__(Kind.GONE, code, 1)
class Unavailable(DomainError):
    def __init__(self, code, text):
        super().__init__(Kind.UNAVAILABLE, code, text)
made = Unavailable(text=1, code="a.called"), Group("one", 1), Default("a.other")
"""
    )

    found = _Codes(tmp_path).all

    assert set(found) == {"a.plain", "a.soft", "a.default", "a.called", "a.other", "g.one"}
    assert found["a.called"] == {HTTPStatus.SERVICE_UNAVAILABLE}
    assert found["g.one"] == {HTTPStatus.TOO_MANY_REQUESTS}


@pytest.mark.parametrize("hidden", ['made_up("a")', "code", "CODE"])
def test_a_code_that_the_source_does_not_tell_is_no_silent_gap(tmp_path: Path, hidden: str) -> None:
    (tmp_path / "refusals.py").write_text(
        f"""
class Hidden(DomainError):
    def __init__(self):
        super().__init__(Kind.GONE, {hidden}, 1)
"""
    )

    with pytest.raises(AssertionError, match="Hidden"):
        _Codes(tmp_path)


def test_a_code_that_is_computed_where_the_refusal_is_made_is_no_silent_gap(tmp_path: Path) -> None:
    (tmp_path / "refusals.py").write_text(
        """
class Default(DomainError):
    def __init__(self, code="a.default"):
        super().__init__(Kind.GONE, code, 1)
made = Default(code=computed)
"""
    )

    with pytest.raises(AssertionError, match=r"refusals\.py:5"):
        _Codes(tmp_path)


# --- pages


def _table(page: Path, section: str | None = None) -> dict[str, str]:
    """Names in backticks in the first cells of a page's tables, or of one section's, with the rest of their rows."""
    text = page.read_text(encoding="utf-8")
    if section is not None:
        text = re.split(r"^## ", text.partition(f"\n## {section}\n")[2], flags=re.MULTILINE)[0]
    rows = [row.partition(" | ")[::2] for row in re.findall(r"^\| (`.*) \|$", text, re.MULTILINE)]
    return {name: rest for first, rest in rows for name in re.findall(r"`([^`]+)`", first)}


def _anchors(page: Path) -> set[str]:
    """The headings' names in links, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


# --- settings


def _variables_of(name: str, setting: FieldInfo) -> list[str]:
    """Its environment variables; the first is the one to write about."""
    if isinstance(setting.validation_alias, AliasChoices):
        return [choice for choice in setting.validation_alias.choices if isinstance(choice, str) and choice.isupper()]
    return [f"KONTOR_{name.upper()}"]


def _of_settings() -> set[str]:
    return {variable for name, setting in Settings.model_fields.items() for variable in _variables_of(name, setting)}


def _shown_default(setting: FieldInfo) -> str:
    """What its row must hold; empty for a default that is none, or made at the start."""
    default = setting.default
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`" if isinstance(default, str | int) and default != "" else ""


def _read_directly() -> set[str]:
    """Variables that the program and its scripts take from an environment by themselves."""
    found = set()
    for folder in (SOURCE, ROOT / "scripts"):
        for _, tree in _modules(folder):
            for node in ast.walk(tree):
                match node:
                    case ast.Subscript(value=source, slice=ast.Constant(value=str(name))):
                        pass
                    case ast.Call(
                        func=ast.Attribute(value=source, attr="get"), args=[ast.Constant(value=str(name)), *_]
                    ):
                        pass
                    case _:
                        continue
                if ast.unparse(source).endswith(("environ", "environment")):
                    found.add(name)
    return found - NOT_OURS


# --- codes


def _modules(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    for file in sorted(folder.rglob("*.py")):
        yield file, ast.parse(file.read_text(encoding="utf-8"))


def _name_of(expression: ast.expr) -> str | None:
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else None


def _text(expression: ast.expr | None, known: Mapping[str, str]) -> str | None:
    """A string, or the name of a Kind, as far as the source alone tells it."""
    if isinstance(expression, ast.Constant):
        return expression.value if isinstance(expression.value, str) else None
    if isinstance(expression, ast.Name):
        return known.get(expression.id)
    if isinstance(expression, ast.Attribute) and _name_of(expression.value) == "Kind":
        return expression.attr
    if isinstance(expression, ast.JoinedStr):
        parts = [_text(one.value if isinstance(one, ast.FormattedValue) else one, known) for one in expression.values]
        return "".join(part for part in parts if part is not None) if None not in parts else None
    return None


@dataclass(slots=True)
class _Refusal:
    """A class of refusals: what its __init__ takes, and with what it calls the one above."""

    name: str
    above: str
    parameters: list[str] = field(default_factory=list)
    defaults: dict[str, str] = field(default_factory=dict)
    call: ast.Call | None = None


class _Codes:
    """All stable codes below a folder, each with the HTTP statuses that it may have (none: cannot be told).

    Of DomainError and whatever is made of it, of problems that the HTTP edge writes itself, and of the gateway.
    """

    def __init__(self, folder: Path) -> None:
        self.all: dict[str, set[HTTPStatus]] = {}
        modules = list(_modules(folder))
        classes = [node for _, tree in modules for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        self._refusals = {DomainError.__name__: _Refusal(DomainError.__name__, "", ["kind", "code", "text"])}
        while found := [one for one in classes if one.name not in self._refusals and self._above(one) is not None]:
            for one in found:
                self._refusals[one.name] = self._read(one)
        for name, refusal in self._refusals.items():
            if refusal.above:
                self._note(name, refusal.defaults, required=refusal.call is not None, where=name)
        for file, tree in modules:
            for node in ast.walk(tree):
                self._look_at(node, f"{file}:{getattr(node, 'lineno', 0)}", is_edge=file.parent.name == "http")

    def _above(self, node: ast.ClassDef) -> str | None:
        return next((name for base in node.bases if (name := _name_of(base)) in self._refusals), None)

    def _read(self, node: ast.ClassDef) -> _Refusal:
        refusal = _Refusal(node.name, self._above(node) or "")
        init = next((one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
        if init is None:
            above = self._refusals[refusal.above]
            refusal.parameters, refusal.defaults = above.parameters, above.defaults
            return refusal
        arguments = [*init.args.posonlyargs, *init.args.args][1:]
        refusal.parameters = [one.arg for one in arguments]
        with_default = arguments[len(arguments) - len(init.args.defaults) :]
        pairs = [
            *zip(with_default, init.args.defaults, strict=True),
            *zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True),
        ]
        refusal.defaults = {one.arg: text for one, value in pairs if (text := _text(value, {})) is not None}
        refusal.call = next(
            one for one in ast.walk(init) if isinstance(one, ast.Call) and ast.unparse(one.func) == "super().__init__"
        )
        return refusal

    def _resolved(self, name: str, given: Mapping[str, str]) -> tuple[str | None, str | None]:
        """Kind and code of a refusal that is made with these arguments."""
        refusal = self._refusals[name]
        if not refusal.above:
            return given.get("kind"), given.get("code")
        if refusal.call is None:
            return self._resolved(refusal.above, given)
        return self._resolved(refusal.above, self._bound(refusal.above, refusal.call, given))

    def _bound(self, name: str, call: ast.Call, known: Mapping[str, str]) -> dict[str, str]:
        refusal = self._refusals[name]
        named = [*zip(refusal.parameters, call.args, strict=False), *((one.arg, one.value) for one in call.keywords)]
        texts = {parameter: _text(value, known) for parameter, value in named if parameter is not None}
        # What is given and cannot be read hides a default: it is not what is meant.
        return {one: text for one, text in {**refusal.defaults, **texts}.items() if text is not None}

    def _note(self, name: str, given: Mapping[str, str], *, required: bool, where: str) -> None:
        kind, code = self._resolved(name, given)
        if code is not None:
            self._add(code, STATUS[Kind[kind]] if kind is not None else None)
            return
        takes_code = "code" in self._refusals[name].parameters
        assert takes_code or not required, f"{where}: the code is not written in the source"

    def _look_at(self, node: ast.AST, where: str, *, is_edge: bool) -> None:
        if is_edge and isinstance(node, ast.Tuple) and len(node.elts) == 2:
            code, text = node.elts
            if isinstance(code, ast.Constant) and isinstance(text, ast.Call) and _name_of(text.func) == "Text":
                self._add(code.value, None)
        if not isinstance(node, ast.Call):
            return
        name = _name_of(node.func)
        if name in self._refusals and "code" in self._refusals[name].parameters:
            given = self._bound(name, node, {})
            self._note(name, given, required=True, where=where)
            assert "code" in given, f"{where}: the code is not written in the source"
        elif name in {"problem", "Refusal"} and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
            status = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
            self._add(str(node.args[1].value), HTTPStatus(status) if isinstance(status, int) else None)

    def _add(self, code: str, status: HTTPStatus | None) -> None:
        statuses = self.all.setdefault(code, set())
        if status is not None:
            statuses.add(status)
            # The chat says 400 where the rest of the API says 422.
            if status is HTTPStatus.UNPROCESSABLE_ENTITY and code.startswith("chat."):
                statuses.add(HTTPStatus.BAD_REQUEST)
