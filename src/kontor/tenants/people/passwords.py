"""Passwords: Argon2id with OWASP's parameters, off the event loop, the same work whether the person exists or not.

Source: OWASP Password Storage Cheat Sheet (19 MiB, t=2, p=1).
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

MEMORY_KIB: Final = 19 * 1024
TIME_COST: Final = 2
# Hashes in flight are bounded: 19 MiB each, and a flood of logins must not starve the process.
AT_ONCE: Final = 4


class Passwords:
    """Hashes and checks."""

    def __init__(self, memory_kib: int = MEMORY_KIB, time_cost: int = TIME_COST) -> None:
        self._hasher = PasswordHash((Argon2Hasher(memory_cost=memory_kib, time_cost=time_cost, parallelism=1),))
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """What we keep of a password."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._hasher.hash, password)

    async def check(self, password: str, known: str | None) -> bool:
        """Whether it is the right one. With None (no such person) the same work is done for nothing."""
        if known is None:
            self._nobody = self._nobody or await self.hash("nobody has this password")
        right = await asyncio.get_running_loop().run_in_executor(
            self._pool, self._hasher.verify, password, known or self._nobody or ""
        )
        return right and known is not None
