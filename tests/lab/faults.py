"""Kills, stops or fails a program at a numbered step: a call that leaves something behind in certain folders (faults.c)."""

from __future__ import annotations

import errno
import mmap
import os
import re
import signal
import struct
from pathlib import Path

from process import command, need, wait_for

_MOST, _NAME = 20000, 240
_STEPS, _MODE, _AT, _ERROR, _LEAST, _HITS, _STOPPED = range(0, 56, 8)
_WANTED, _NAMES = 56, 56 + _NAME
_COUNT, _KILL, _KILL_BEHIND, _STOP, _FAIL = range(5)
_CHANGES, _GROWS = 1, 2


class Faults:
    """Only counts at first. Owns its folder; steps of all programs that were started with `env` are numbered together, from 1."""

    def __init__(self, folder: Path, *roots: Path) -> None:
        folder.mkdir()
        library, shared = folder / "faults.so", folder / "shared"
        command([need("gcc", "gcc"), "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, Path(__file__).with_suffix(".c")])
        shared.write_bytes(bytes(_NAMES + _MOST * _NAME))
        shared.chmod(0o666)  # postmap opens it as the user that the program became
        with shared.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 0)
        self.folder, self.roots = folder, roots
        self.env = {"LD_PRELOAD": str(library), "FAULTS": str(shared), "FAULT_ROOTS": ":".join(map(str, roots))}

    # --- what is to happen

    def count(self) -> None:
        """Forgets all steps, and no faults any more."""
        self._set(0, _COUNT)

    def kill(self, at: int, behind: bool = False) -> None:
        """The whole process group, before the step of that number or just behind it."""
        self._set(0, _KILL_BEHIND if behind else _KILL, at)

    def stop(self, at: int) -> None:
        """SIGSTOP before that step: wait_stopped()."""
        self._set(0, _STOP, at)

    def stop_before(self, name: str) -> None:
        """SIGSTOP before the next step whose name holds this."""
        for root in self.roots:
            name = name.replace(root.name.upper(), str(root))
        self._set(0, _STOP)
        self._want(name)

    def full(self, at: int | None = None) -> None:
        """The disk takes nothing more from that step on, or from now on; the write that fills it succeeds by half."""
        self._fail(at, errno.ENOSPC, _GROWS)

    def read_only(self, at: int | None = None) -> None:
        self._fail(at, errno.EROFS, _CHANGES)

    def heal(self) -> None:
        """The disk is well again."""
        self._put(_MODE, _COUNT)

    def wait_stopped(self, seconds: float = 10) -> int:
        """The pid of the process that stopped: the program, or its postmap."""
        return wait_for(self.stopped, "a stop at that step", seconds)

    def stopped(self) -> int:
        pid = self._get(_STOPPED)
        try:
            return pid if pid and "\nState:\tT" in Path(f"/proc/{pid}/status").read_text() else 0
        except FileNotFoundError:
            return 0

    def go_on(self, at: int = 0) -> None:
        """The stopped process goes on, until the step `at` if there is one."""
        pid = self._get(_STOPPED)
        self._put(_STOPPED, 0)
        self._put(_AT, at)
        if not at:
            self._want("")
            self._put(_MODE, _COUNT)
        os.kill(pid, signal.SIGCONT)

    # --- what did happen

    @property
    def steps(self) -> int:
        return self._get(_STEPS)

    @property
    def hits(self) -> int:
        """How many calls have failed."""
        return self._get(_HITS)

    def name(self, step: int) -> str:
        """`rename MAPS/.build-*/unknown -> MAPS/unknown`, with the roots by their last names."""
        start = _NAMES + (step - 1) * _NAME
        text = self._shared[start:start + _NAME].split(b"\0")[0].decode()
        for root in self.roots:
            text = text.replace(str(root), root.name.upper())
        return re.sub(r"\.build-\w{6}", ".build-*", text)

    def names(self) -> list[str]:
        return [self.name(step) for step in range(1, min(self.steps, _MOST) + 1)]

    def _fail(self, at: int | None, error: int, least: int) -> None:
        self._put(_ERROR, error)
        self._put(_LEAST, least)
        self._set(self.steps if at is None else 0, _FAIL, at or 1)

    def _set(self, steps: int, mode: int, at: int = 0) -> None:
        self._put(_MODE, _COUNT)
        for field, value in ((_STEPS, steps), (_HITS, 0), (_STOPPED, 0), (_AT, at), (_MODE, mode)):
            self._put(field, value)

    def _want(self, name: str) -> None:
        self._shared[_WANTED:_NAMES] = name.encode().ljust(_NAMES - _WANTED, b"\0")

    def _put(self, where: int, value: int) -> None:
        struct.pack_into("=q", self._shared, where, value)

    def _get(self, where: int) -> int:
        return struct.unpack_from("=q", self._shared, where)[0]
