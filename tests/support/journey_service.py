"""A service that a journey can be played against, small and honest until a test tells it to lie.

`answers` replaces what a route gives: a status with a body, or a function of what it would have given.
"""

import io
import zipfile
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

DISCLOSURE = "Sie kommunizieren mit einem KI-gestützten Assistenten von {}. Schreiben Sie MENSCH."
TEXT = "§ 1 Ä"
ERASURE = "era_01h455vb4pex5vsknk084sn02q"
Answer = Callable[[Any], Any]


def refusal(status: int, code: str, detail: str) -> Response:
    """A problem as the product answers it."""
    body = {"type": "about:blank", "title": "-", "status": status, "code": code, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")


class JourneyService:
    """Portal API and outbox of one customer, in one application."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], Answer | Response] = {}
        self.email = self.company = ""
        self.said: list[dict[str, str]] = []
        self.calls: list[tuple[int, int]] = []
        self.is_gone = False
        self.app = Starlette(routes=[Route("/{path:path}", self._serve, methods=["GET", "POST", "DELETE"])])

    def lies(self, method: str, path: str, answer: Answer | Response) -> None:
        """From now on."""
        self.answers[method, path] = answer

    async def _serve(self, request: Request) -> Response:
        path = request.url.path
        given = self.answers.get((request.method, path))
        if isinstance(given, Response):
            return given
        body = orjson.loads(await request.body() or b"{}")
        found = self._answer(request.method, path, body)
        if given is not None:
            found = given(found)
        if isinstance(found, Response):
            return found
        return JSONResponse(found, headers={"kontor-conversation": "cnv_1"})

    def _answer(self, method: str, path: str, body: dict[str, Any]) -> Any:  # noqa: C901, PLR0911, PLR0912 - one line per route
        match method, path.removeprefix("/api/v1"):
            case "POST", "/signups":
                self.email = body["email"]
                return {"message": "-"}
            case "GET", "/api/mails":
                return {"mails": [{"id": "mal_1", "subject": "Bitte bestätigen"}]}
            case "GET", "/api/mails/mal_1":
                link = "http://x.test/verify?token=v_secret"
                return {"id": "mal_1", "subject": "Bitte bestätigen", "links": [link]}
            case "POST", "/signups/confirmation":
                return {"id": "prs_1", "email": self.email}
            case "POST", "/tenants":
                self.company = body["legal_name"]
                return {"id": "tnt_1", "slug": "mueller", "state": "onboarding", "plan": "starter", "is_pilot": True}
            case "GET", "/contracts":
                return [_document()]
            case "GET", "/contracts/terms":
                return {**_document(), "text": TEXT}
            case "POST", "/contracts/acceptances":
                return {"is_complete": True}
            case "POST", "/api-keys":
                return {"id": "key_1", "secret": "kontor_secret"}
            case "GET", "/assistant":
                return _assistant()
            case "POST", "/chat/completions":
                return self._stream(body) if body.get("stream") else self._chat(body)
            case "GET", "/conversations/cnv_1":
                return {"id": "cnv_1", "state": "human"}
            case "GET", "/usage":
                return refusal(401, "login.required", "-") if self.is_gone else self._usage()
            case "GET", "/usage.csv":
                return Response(self._csv(), media_type="text/csv")
            case "POST", "/api/export":
                return {"id": "exp_1", "state": "queued", "progress": 0}
            case "GET", "/exports/exp_1":
                digest = sha256(self.zip()).hexdigest()
                return {"id": "exp_1", "state": "ready", "progress": 100, "sha256": digest}
            case "GET", "/exports/exp_1/download":
                return Response(self.zip(), media_type="application/zip")
            case "DELETE", "/tenant":
                self.is_gone = True
                return {"erasure_id": ERASURE, "token": "receipt", "url": "-"}
            case "GET", "/me" | "/sessions":
                return refusal(401, "login.required", "-")
            case "POST", "/sessions":
                return refusal(401, "login.refused", "-")
            case _:
                assert path == f"/api/v1/erasures/{ERASURE}", f"{method} {path}"
                return {"step": "done", "is_done": True, "proof": proof()}

    def _chat(self, body: dict[str, Any]) -> Any:
        question = body["messages"][-1]["content"]
        if question == "MENSCH":
            return _completion(self._say(question, "Ihre Nachricht geht an einen Menschen."), None)
        answer = "Sie heißen Jürgen." if question == "Wie heiße ich?" else "Freut mich, Jürgen!"
        if not self.said:
            answer = f"{DISCLOSURE.format(self.company)}\n\n{answer}"
        self.calls.append((7, 3))
        return _completion(self._say(question, answer), (7, 3))

    def _stream(self, body: dict[str, Any]) -> Response:
        words = ["1 ", "2 ", "3 ", "4"]
        self._say(body["messages"][-1]["content"], "".join(words))
        self.calls.append((9, 4))
        events = [{"choices": [{"delta": {"content": word}}]} for word in words]
        events.append({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}})
        lines = [b"data: " + orjson.dumps(event) + b"\n\n" for event in events]
        return Response(b": waking\n\n" + b"".join(lines) + b"data: [DONE]\n\n", media_type="text/event-stream")

    def _say(self, question: str, answer: str) -> str:
        self.said += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        return answer

    def _usage(self) -> dict[str, Any]:
        sums = {
            "calls": len(self.calls),
            "input_tokens": sum(call[0] for call in self.calls),
            "output_tokens": sum(call[1] for call in self.calls),
            "cost_eur": "0.000100",
        }
        row = {**sums, "date": date(2026, 11, 23).isoformat(), "model": "m"}
        return {"rows": [row], "total": sums}

    def _csv(self) -> str:
        return f"date,model,input tokens,output tokens,cost\r\n2026-11-23,m,{len(self.calls)},0,0\r\n"

    def zip(self, **changes: str) -> bytes:
        """The export; `changes` replaces files by the last part of their name, after the manifest was written."""
        files = {
            "README.txt": "Lies mich",
            "conversations/openai-chat.json": orjson.dumps([{"messages": self.said}]).decode(),
            "conversations/messages.csv": "-",
            "configuration/openclaw.json": "{}",
            "prompts/system-prompt.md": "-",
            "company.json": "{}",
            "usage/usage.csv": self._csv(),
        }
        manifest = {
            "files": [
                {"path": path, "size_bytes": len(text.encode()), "sha256": sha256(text.encode()).hexdigest()}
                for path, text in files.items()
            ],
            "missing": [],
        }
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for path, text in {**files, "manifest.json": orjson.dumps(manifest).decode()}.items():
                name = path.rsplit("/", 1)[-1].split(".")[0]
                archive.writestr(zipfile.ZipInfo(path), changes.get(name, text))
        return out.getvalue()

    def lies_in_the_export(self, **changes: str) -> None:
        """The ZIP differs from what was said and used, and its digest is right."""
        self.lies("GET", "/api/v1/exports/exp_1/download", lambda _: Response(self.zip(**changes)))
        self.lies(
            "GET",
            "/api/v1/exports/exp_1",
            lambda seen: {**seen, "sha256": sha256(self.zip(**changes)).hexdigest()},
        )


def proof(**changes: Any) -> dict[str, Any]:
    """Nothing is left."""
    return {
        "rows_left": {"conversations": 0, "messages": 0},
        "files_left": 0,
        "instances_left": 0,
        "data_keys_left": 0,
        "audit_entries": 12,
        "audit_is_intact": True,
        **changes,
    }


def _document() -> dict[str, Any]:
    return {
        "kind": "terms",
        "version": "2026-11",
        "language": "de",
        "title": "AGB",
        "sha256": sha256(TEXT.encode()).hexdigest(),
        "must_accept": True,
    }


def _assistant() -> dict[str, Any]:
    return {
        "phase": "ready",
        "observed": "ready",
        "is_serving": True,
        "progress": 100,
        "step": "Ihr Assistent ist bereit.",
        "failure": None,
        "failure_code": None,
        "display_name": "Assistent",
    }


def _completion(text: str, used: tuple[int, int] | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"choices": [{"message": {"role": "assistant", "content": text}}]}
    if used:
        answer["usage"] = {"prompt_tokens": used[0], "completion_tokens": used[1]}
    return answer
