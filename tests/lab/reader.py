"""Somebody who asks the tables all the time, as Postfix does."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import Mapping

from process import wait_for


class Reader:
    """Asks for the same keys again and again by `postmap -q -`, each time as a new process, while the `with` block lasts.

    `known`: what must be found in which tables, asked in that order. An address that moves into the base leaves `learned` later:
    who asks `learned` first and then `directory` always finds it.
    """

    def __init__(self, kind: str, known: Mapping[tuple[str, ...], Mapping[str, str]], maps: Path) -> None:
        self.known, self.rounds, self.wrong = known, 0, []
        self._kind, self._maps = kind, maps
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> "Reader":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)

    def wait_round(self) -> None:
        """Until it asks for no more than `known` has now."""
        before = self.rounds
        wait_for(lambda: self.rounds > before + 1 or self.wrong, "the reader's next round")

    def _read(self) -> None:
        while not self._over.is_set() and len(self.wrong) < 10:
            for tables, expected in self.known.items():
                keys = dict(expected)  # it may grow meanwhile
                done = subprocess.run(["postmap", "-q", "-", *(f"{self._kind}:{self._maps / table}" for table in tables)],
                                      input="".join(f"{key}\n" for key in keys), capture_output=True, text=True)
                found = dict(line.split("\t", 1) for line in done.stdout.splitlines())
                if found != keys or done.stderr:
                    self.wrong.append((self.rounds, tables, set(found.items()) ^ set(keys.items()), done.stderr))
            self.rounds += 1
