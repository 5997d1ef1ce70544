"""Logs and their context: one line of JSON per happening, with request and tenant on every line.

No prompt, answer, password, token or address of a person is ever logged; ids are.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, get_contextvars


def configure(log_format: Literal["json", "console"] = "json", level: int = logging.INFO) -> None:
    """Every logger of the process writes to standard error in one form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for noisy in ("httpx", "httpcore", "pgqueuer", "uvicorn.access", "mail.log"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


@contextmanager
def bound(**context: object) -> Iterator[None]:
    """Every log line inside carries these; None leaves a name out."""
    with bound_contextvars(**{name: str(value) for name, value in context.items() if value is not None}):
        yield


def bind(**context: object) -> None:
    """Every later log line of this request or job carries these."""
    bind_contextvars(**{name: str(value) for name, value in context.items() if value is not None})


def request_id() -> str | None:
    """The request in whose course we are, also in the jobs that it started."""
    value = get_contextvars().get("request_id")
    return value if isinstance(value, str) else None
