"""What is measured, each as a process of its own: the provider, nginx and LiteLLM in front of it, and the gateway."""

import asyncio
import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import psutil

from kontor.billing.metering import gateway_keys
from kontor.billing.metering.budgets.limits import set_budget
from kontor.billing.metering.price_book import load_shipped_prices
from kontor.core import db, postgres
from kontor.core.clock import SystemClock
from kontor.core.crypto import FolderKeyStore, Vault
from kontor.core.ids import InstanceId, TenantId, new_id
from kontor.core.migrate import migrate_async
from kontor.core.settings import default_cache_dir
from support.processes import free_port

UNDER_TEST: Final = "0"
"""The core of whatever is measured; everybody else has the other one."""

OTHERS: Final = "1"
LITELLM: Final = "1.106.2"
PATH: Final = "/v1/chat/completions"
MASTER_KEY: Final = bytes(range(32))

_JSON: Final = "application/json"
_SSE: Final = "text/event-stream"
_LITELLM_KEY: Final = "sk-0123456789abcdef0123456789abcdef"
_READY_S: Final = 90
_CHUNK: Final = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
_USAGE: Final = {"prompt_tokens": 60, "completion_tokens": 50, "total_tokens": 110}
_MESSAGE: Final = {"role": "assistant", "content": "Ja. " * 50}
_CHOICE: Final = {"index": 0, "finish_reason": "stop", "message": _MESSAGE}
_WHOLE: Final = json.dumps(
    {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [_CHOICE], "usage": _USAGE}
)
EVENT: Final = f"data: {json.dumps(_CHUNK | {'choices': [{'index': 0, 'delta': {'content': 'Ja. '}}]})}\n\n"
_STREAM: Final = EVENT * 50 + f"data: {json.dumps(_CHUNK | {'choices': [], 'usage': _USAGE})}\n\ndata: [DONE]\n\n"


@dataclass(frozen=True)
class Target:
    """Where requests go, and the process whose CPU and memory count."""

    name: str
    url: str
    process: psutil.Process | None
    headers: Mapping[str, str]


@contextmanager
def all_targets(folder: Path, form: str, postgres: str, *, with_litellm: bool) -> Iterator[list[Target]]:
    """The provider by itself, and behind nginx, the gateway and (if wanted) LiteLLM. `form` is json or sse."""
    folder.mkdir(mode=0o755)
    provider, proxy = free_port(), free_port()
    with ExitStack() as stack:
        stack.enter_context(_nginx(folder / "provider", OTHERS, _serves(folder, provider, form)))
        front = stack.enter_context(_nginx(folder / "proxy", UNDER_TEST, _passes(proxy, provider)))
        kontor = stack.enter_context(gateway(folder, postgres, provider))
        targets = [
            Target("provider", f"http://127.0.0.1:{provider}{PATH}", None, {}),
            Target("nginx", f"http://127.0.0.1:{proxy}{PATH}", front, {}),
            kontor,
        ]
        if with_litellm:
            targets.append(stack.enter_context(_litellm(folder, provider)))
        yield targets


@contextmanager
def gateway(folder: Path, postgres: str, provider: int) -> Iterator[Target]:
    """`kontor gateway` as an operator starts it, with a tenant that has a key and a budget."""
    urls = urls_of(postgres)
    secret = asyncio.run(_a_key(urls, folder))
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": urls.owner,
        "KONTOR_DATABASE_GATEWAY_URL": urls.gateway,
        "KONTOR_MASTER_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "KONTOR_STATE_DIR": str(folder / "state"),
        "KONTOR_GATEWAY_PORT": str(port),
        "KONTOR_MODEL_PORT": str(provider),
        "KONTOR_REQUESTS_PER_MINUTE": "1000000000",
        "KONTOR_TOKENS_PER_MINUTE": "1000000000000",
        "OPENAI_API_KEY": "",
        "OPENAI_BASE_URL": "",
    }
    command = [sys.executable, "-m", "kontor.app.gateway"]
    with _process(command, UNDER_TEST, folder / "gateway.log", environment) as process:
        _wait_for(f"http://127.0.0.1:{port}/readyz")
        yield Target("kontor", f"http://127.0.0.1:{port}{PATH}", process, {"authorization": f"Bearer {secret}"})


def urls_of(owner: str) -> postgres.DatabaseUrls:
    """The roles' addresses."""
    roles = (postgres.role_url(owner, f"kontor_{name}", MASTER_KEY) for name in ("app", "system", "gateway"))
    return postgres.DatabaseUrls(owner, *roles)


def _serves(folder: Path, port: int, form: str) -> str:
    """The same answer to everything, a stream in chunks of about one event."""
    (folder / "answer").write_text(_WHOLE if form == "json" else _STREAM)
    kind = _JSON if form == "json" else _SSE
    chunked = "" if form == "json" else "sub_filter_types *; sub_filter NEVER ''; output_buffers 1 160; sendfile off;"
    return (
        f"open_file_cache max=10; server {{ listen 127.0.0.1:{port}; root {folder}; default_type {kind}; {chunked} "
        "error_page 405 =200 /answer; location / { return 405; } location = /answer { } }"
    )


def _passes(port: int, provider: int) -> str:
    """Connections are kept, nothing is buffered."""
    return (
        f"upstream provider {{ server 127.0.0.1:{provider}; keepalive 256; }} "
        f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://provider; proxy_http_version 1.1; "
        'proxy_set_header Connection ""; proxy_buffering off; } }'
    )


@contextmanager
def _nginx(folder: Path, core: str, servers: str) -> Iterator[psutil.Process]:
    """One worker on one core."""
    folder.mkdir(mode=0o755)
    file = folder / "nginx.conf"
    temporary = " ".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file.write_text(
        f"daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
        "events { worker_connections 4096; }\n"
        f"http {{ access_log off; keepalive_requests 1000000000; {temporary}\n{servers} }}\n"
    )
    command = ["nginx", "-p", str(folder), "-c", str(file), "-e", f"{folder}/error.log"]
    with _process(command, core, folder / "log", os.environ) as process:
        yield process


@contextmanager
def _litellm(folder: Path, provider: int) -> Iterator[Target]:
    """LiteLLM's proxy, one worker, without a database: no metering, no budgets."""
    port, file = free_port(), folder / "litellm.yaml"
    base = f"http://127.0.0.1:{provider}/v1"
    model = {"model_name": "assistant", "litellm_params": {"model": "openai/m", "api_base": base, "api_key": "none"}}
    file.write_text(json.dumps({"model_list": [model], "general_settings": {"master_key": _LITELLM_KEY}}))
    environment = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "DO_NOT_TRACK": "1"}
    command = [str(_litellm_bin()), "--config", str(file), "--host", "127.0.0.1", "--port", str(port)]
    with _process([*command, "--num_workers", "1"], UNDER_TEST, folder / "litellm.log", environment) as process:
        _wait_for(f"http://127.0.0.1:{port}/health/liveliness")
        yield Target("litellm", f"http://127.0.0.1:{port}{PATH}", process, {"authorization": f"Bearer {_LITELLM_KEY}"})


def _litellm_bin() -> Path:
    """In an environment of its own beside the other things that are cached; installed once, which takes minutes."""
    folder = default_cache_dir() / f"litellm-{LITELLM}"
    program = folder / "bin" / "litellm"
    if not program.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([folder / "bin" / "pip", "install", "-q", f"litellm[proxy]=={LITELLM}"], check=True)
    return program


@contextmanager
def _process(command: list[str], core: str, log: Path, environment: Mapping[str, str]) -> Iterator[psutil.Process]:
    """Runs on one core; has ended when the block ends."""
    with log.open("wb") as out:
        process = subprocess.Popen(["taskset", "-c", core, *command], env=environment, stdout=out, stderr=out)
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(url: str) -> None:
    until = time.monotonic() + _READY_S
    while True:
        try:
            httpx.get(url, timeout=1).raise_for_status()
        except httpx.HTTPError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


async def _a_key(urls: postgres.DatabaseUrls, folder: Path) -> str:
    """A tenant's instance may call, within a budget that does not end."""
    await migrate_async(urls)
    database = db.Database(urls, SystemClock(), Vault(FolderKeyStore(folder / "keys"), MASTER_KEY))
    tenant, instance = TenantId(new_id()), InstanceId(new_id())
    async with database.system_uow() as tx:
        await load_shipped_prices(tx)
        secret = await gateway_keys.issue_key(tx, instance)
        await gateway_keys.bind_key(tx, instance, tenant)
        await set_budget(tx, tenant, "month", cap_nano=10**15)
    await database.close()
    return secret
