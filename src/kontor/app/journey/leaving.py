"""Taking everything along, and leaving nothing behind."""

import io
import json
import zipfile
from hashlib import sha256
from typing import Final

from kontor.app.journey.answers import Export, ExportedConversation, Manifest, Receipt
from kontor.app.journey.customer import ask, read_json, send, status_of, until
from kontor.app.journey.failed import StepFailed, expect
from kontor.app.journey.story import Story

EXPORT_WITHIN_S: Final = 120.0
GONE_WITHIN_S: Final = 180.0
CONVERSATIONS: Final = "conversations/openai-chat.json"
USAGE: Final = "usage/usage.csv"
FILES: Final = frozenset(
    {
        "README.txt",
        CONVERSATIONS,
        "conversations/messages.csv",
        "configuration/openclaw.json",
        "prompts/system-prompt.md",
        "company.json",
        USAGE,
    }
)
_UNAUTHENTICATED: Final = 401


async def export(story: Story) -> str:
    """The export is downloaded; its files are whole and hold what was said and used."""
    browser = story.customer.browser
    asked = await ask(browser, "POST", "/api/export", Export)

    async def finished() -> Export | None:
        now = await ask(browser, "GET", f"/api/v1/exports/{asked.id}", Export)
        story.detail(f"{now.progress} % {now.step}")
        if now.state == "failed":
            raise StepFailed("journey.export", now.error or "the export failed")
        return now if now.state == "ready" else None

    ready = await until(finished, within_s=EXPORT_WITHIN_S, otherwise=lambda: f"export {asked.id} is not ready")
    content = (await send(browser, "GET", f"/api/v1/exports/{ready.id}/download")).content
    digest = sha256(content).hexdigest()
    expect(holds=digest == ready.sha256, code="export_digest", detail=f"it has {digest}, {ready.sha256} was said")
    files = _files(content)
    _check_manifest(files)
    said = _check_conversations(story, files[CONVERSATIONS])
    usage = files[USAGE].decode()
    expect(
        holds=usage.splitlines() == story.usage_csv.splitlines(),
        code="export_usage",
        detail=f"usage in the export: {usage!r}; by the API: {story.usage_csv!r}",
    )
    return f"{len(files)} files, {len(content) / 1024:.0f} KiB, {said} messages"


async def deletion(story: Story) -> str:
    """The erasure is asked for; its receipt is there and needs no login."""
    browser = story.customer.browser
    response = await send(browser, "DELETE", "/api/v1/tenant")
    story.receipt = response.headers.get("location", "")
    expect(holds=bool(story.receipt), code="receipt", detail="the answer does not say where the receipt is")
    now = await ask(story.customer.mailbox, "GET", story.customer.url + story.receipt, Receipt)
    return f"receipt {now.id}: {now.state}"


async def everything_gone(story: Story) -> str:
    """The receipt shows that files, process, rows and key are gone; session, key and login open nothing."""
    last = ""

    async def done() -> Receipt | None:
        nonlocal last
        now = await ask(story.customer.mailbox, "GET", story.customer.url + story.receipt, Receipt)
        last = now.step
        story.detail(last)
        return now if now.state == "done" else None

    receipt = await until(done, within_s=GONE_WITHIN_S, otherwise=lambda: f"the erasure stands at: {last}")
    await _is_nobody(story)
    return _check_proof(receipt)


async def _is_nobody(story: Story) -> None:
    customer = story.customer
    session = await status_of(customer.browser, "GET", "/api/v1/me")
    key = await status_of(customer.program, "GET", "/api/v1/usage")
    login = {"email": story.email, "password": story.password}
    again = await status_of(customer.browser, "POST", "/api/v1/sessions", json=login)
    for what, response in (("session", session), ("API key", key), ("login", again)):
        expect(
            holds=response.status_code == _UNAUTHENTICATED,
            code="not_gone",
            detail=f"the {what} is answered with {response.status_code} instead of 401: {response.text[:200]}",
        )


def _check_proof(receipt: Receipt) -> str:
    proof = receipt.proof or {}
    expect(holds=bool(proof), code="proof", detail="the receipt holds no proof")
    return json.dumps(proof, ensure_ascii=False)


def _files(content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
    except zipfile.BadZipFile as error:
        raise StepFailed("journey.export", f"the download is no ZIP: {error}") from error
    missing = sorted(FILES - set(files))
    expect(holds=not missing, code="export", detail=f"files are missing: {', '.join(missing)}")
    return files


def _check_manifest(files: dict[str, bytes]) -> None:
    manifest = read_json(files.get("manifest.json", b""), Manifest, "manifest.json")
    expect(holds=not manifest.missing, code="export", detail=f"it says that parts are missing: {manifest.missing}")
    said = {entry.path: (entry.size_bytes, entry.sha256) for entry in manifest.files}
    found = {
        name: (len(content), sha256(content).hexdigest()) for name, content in files.items() if name != "manifest.json"
    }
    wrong = sorted(set(said.items()) ^ set(found.items()))
    expect(holds=not wrong, code="export", detail=f"the manifest differs from the files: {wrong}")


def _check_conversations(story: Story, content: bytes) -> int:
    conversations = read_json(content, list[ExportedConversation], CONVERSATIONS)
    messages = [message for one in conversations for message in one.messages]
    everything = "\n".join(message.content for message in messages)
    for text in story.said:
        for line in filter(None, text.splitlines()):
            expect(holds=line in everything, code="export", detail=f"what was said is missing: {line[:200]}")
    return len(messages)
