"""A small disk that can really be full, in the lab's own mount namespace."""

from __future__ import annotations

import os
from pathlib import Path

from process import command


class Disk:
    """A tmpfs at `folder`."""

    def __init__(self, folder: Path, size: str = "8m") -> None:
        self.folder = folder
        folder.mkdir()
        command(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "lab-disk", folder])

    def fill(self, left: int = 0) -> None:
        """All but so many bytes."""
        facts = os.statvfs(self.folder)
        with (self.folder / "filler").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, facts.f_bavail * facts.f_bsize - left)

    def free(self) -> None:
        (self.folder / "filler").unlink()

    def remount(self, mode: str) -> None:
        """`ro` or `rw`."""
        command(["mount", "-o", f"remount,{mode}", self.folder])

    def unmount(self) -> None:
        command(["umount", "--lazy", self.folder])
