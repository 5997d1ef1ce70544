"""Taking everything along, and leaving nothing behind."""

import io
import zipfile
from hashlib import sha256
from typing import Final

from kontor.app.journey.answers import Erasure, Export, ExportedConversation, Manifest, Proof, Receipt
from kontor.app.journey.customer import ask, read_json, send, status_of, until
from kontor.app.journey.failed import StepFailed, expect
from kontor.app.journey.story import Story

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

    ready = await until(finished, within_s=story.patience.export_s, otherwise=lambda: f"export {asked.id} is not ready")
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
    """The erasure is asked for; its receipt opens it without any login."""
    confirmation = {"confirm": story.company}
    story.receipt = await ask(story.customer.browser, "DELETE", "/api/v1/tenant", Receipt, json=confirmation)
    now = await _erasure(story, story.receipt)
    return f"receipt {story.receipt.erasure_id}, at {now.step}"


async def everything_gone(story: Story) -> str:
    """The receipt proves that files, process, rows and keys are gone; session, API key and login open nothing."""
    receipt = story.receipt
    if receipt is None:
        raise StepFailed("journey.receipt", "there is no receipt of a deletion")
    last = ""

    async def done() -> Erasure | None:
        nonlocal last
        now = await _erasure(story, receipt)
        last = now.step
        story.detail(last)
        return now if now.is_done else None

    erasure = await until(done, within_s=story.patience.gone_s, otherwise=lambda: f"the erasure stands at: {last}")
    await _is_nobody(story)
    if erasure.proof is None:
        raise StepFailed("journey.proof", "the erasure is done and shows no proof")
    return _checked(erasure.proof)


async def _erasure(story: Story, receipt: Receipt) -> Erasure:
    bearer = {"authorization": f"Bearer {receipt.token}"}
    return await ask(story.customer.stranger, "GET", f"/api/v1/erasures/{receipt.erasure_id}", Erasure, headers=bearer)


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


def _checked(proof: Proof) -> str:
    left = {
        **{f"rows in {table}": count for table, count in proof.rows_left.items()},
        "files": proof.files_left,
        "processes": proof.instances_left,
        "keys": proof.data_keys_left,
    }
    found = ", ".join(f"{count} {what}" for what, count in left.items() if count)
    expect(holds=not found, code="proof", detail=f"something is left: {found}")
    expect(holds=bool(proof.rows_left), code="proof", detail="no table was counted")
    expect(holds=proof.audit_is_intact, code="proof", detail="the audit log does not verify any more")
    return (
        f"0 files, 0 processes, 0 rows in {len(proof.rows_left)} tables, 0 keys; "
        f"{proof.audit_entries} entries of the audit log verify; session, API key and login give 401"
    )


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
    told = "\n".join(message.content for message in messages if message.role != "user")
    asked = {message.content for message in messages if message.role == "user"}
    missing = [text for text in story.asked if text not in asked]
    # The disclosure is Kontor's own: that it was told is a fact about the conversation, not a message in it.
    disclosure = story.words.disclosure.format(company=story.company)
    heard = [line for text in story.heard for line in text.splitlines() if line and disclosure not in line]
    missing += [line for line in heard if line not in told]
    expect(holds=not missing, code="export", detail=f"what was said is missing: {missing}")
    return len(messages)
