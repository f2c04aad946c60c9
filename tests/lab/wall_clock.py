"""A wall clock that a test can set, for the programs that are started with its `env`. The monotonic clock goes on (wall_clock.c)."""

from __future__ import annotations

import struct
import time
from pathlib import Path

from process import command, need


class WallClock:
    """Right at first. Owns its folder; what was started before a set() sees it too, whoever its user is by then.
    One at a time: `stamp` is of the test that runs."""

    ahead = 0

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        WallClock.ahead = 0
        library, self._ahead = folder / "wall_clock.so", folder / "ahead"
        command([need("gcc", "gcc"), "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, Path(__file__).with_suffix(".c")])
        self._ahead.write_bytes(bytes(8))
        self.env = {"LD_PRELOAD": str(library), "WALL_CLOCK": str(self._ahead)}

    def set(self, ahead: int) -> None:
        """So many seconds ahead of the true time, or behind it."""
        WallClock.ahead = ahead
        with self._ahead.open("r+b") as file:
            file.write(struct.pack("=q", ahead))

    @staticmethod
    def stamp() -> str:
        """As a log line begins that is written now, by this clock."""
        return time.strftime("%b %e %H:%M:%S", time.localtime(time.time() + WallClock.ahead))
