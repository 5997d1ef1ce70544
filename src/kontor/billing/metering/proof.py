"""The proof that usage adds up: every hour's sums are those of its calls, and no call waits in the journal.

What cannot be looked at is not proven, and is said.
"""

from dataclasses import dataclass
from pathlib import Path

from kontor.billing.metering.segment import SUFFIX, waiting
from kontor.billing.queries import differences
from kontor.core.db import Tx


@dataclass(frozen=True, slots=True)
class Proof:
    """`problems` are sentences; none is the proof. `waiting` is empty where the journal could not be read."""

    problems: tuple[str, ...]
    folder: Path
    waiting: int | None


async def prove(tx: Tx, folder: Path, *, is_required: bool) -> Proof:
    """Compares sums with calls, and looks into the journal of this machine. For a system unit of work.

    `is_required`: a journal must be there, so a folder that is missing is a problem too.
    """
    wait, problem = _look(folder, is_required=is_required)
    problems = (*await differences(tx), *([problem] if problem else []))
    return Proof(problems, folder, wait)


def _look(folder: Path, *, is_required: bool) -> tuple[int | None, str]:
    try:
        wait = sum(waiting(path) for path in sorted(folder.iterdir()) if path.suffix == SUFFIX)
    except FileNotFoundError:
        return None, f"there is no journal at {folder}: check KONTOR_JOURNAL_DIR" if is_required else ""
    except OSError as error:
        return None, (
            f"the journal at {folder} cannot be read ({error.strerror}): calls may wait there. "
            "Run this as the gateway's user"
        )
    return wait, f"{wait} calls wait in the journal at {folder} and are in no sum yet" if wait else ""
