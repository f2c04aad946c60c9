"""A wall clock that a test can set, for the programs that are started with its `env`. The monotonic clock goes on (wall_clock.c)."""

from __future__ import annotations

import struct
from pathlib import Path

from process import command, need


class WallClock:
    """Right at first. Owns its folder; what was started before a set() sees it too, whoever its user is by then."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        library, self._ahead = folder / "wall_clock.so", folder / "ahead"
        command([need("gcc", "gcc"), "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, Path(__file__).with_suffix(".c")])
        self._ahead.write_bytes(bytes(8))
        self.env = {"LD_PRELOAD": str(library), "WALL_CLOCK": str(self._ahead)}

    def set(self, ahead: int) -> None:
        """So many seconds ahead of the true time, or behind it."""
        with self._ahead.open("r+b") as file:
            file.write(struct.pack("=q", ahead))
