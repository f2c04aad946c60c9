"""How long a running `watch` takes to commit a miss: from the line in the log to the row in the state."""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from pathlib import Path
from typing import Callable

from people import DOMAIN
from process import LabError, tail

# Of now: one that is older than unknown-expire allows no rejection.
LINE = (time.strftime("%b %e %H:%M:%S") + " gateway postfix/smtpd[7259]: NOQUEUE: reject: RCPT from unknown[{client}]: 450 4.1.1 <{rcpt}>: "
        "Recipient address rejected: User unknown in relay recipient table; from=<sender@elsewhere.example> to=<{rcpt}> "
        "proto=ESMTP helo=<client.elsewhere.example>\n")
# Mail does not wait: were the next line written only when the last is stored, a stall of seconds would count once.
INTERVAL = 0.02
PAUSE = 0.001  # between two looks: what is measured takes milliseconds
PATIENCE = 120.0


class Misses:
    """Owns its connection to the state, which reads only, and writes the log in Postfix's stead."""

    def __init__(self, log: Path, state: Path, watch_log: Path) -> None:
        self.log, self.watch_log, self.number = log, watch_log, 0
        self._state = sqlite3.connect(f"file:{state}?mode=ro", uri=True, timeout=PATIENCE)

    def close(self) -> None:
        self._state.close()

    def during(self, going_on: Callable[[], bool]) -> list[float]:
        """A line each INTERVAL while something goes on; of each the seconds until its row was there."""
        taken: list[float] = []
        waiting: deque[float] = deque()
        stored, due = self._stored(), time.perf_counter()
        while (more := going_on()) or waiting:
            if more and time.perf_counter() >= due:
                due += INTERVAL
                waiting.append(time.perf_counter())
                self._append()
            before, stored = stored, self._stored()
            now = time.perf_counter()
            taken += [now - waiting.popleft() for _ in range(stored - before)]
            if waiting and now - waiting[0] > PATIENCE:
                raise LabError(f"a miss was not in the state after {PATIENCE:g} s\n{tail(self.watch_log)}")
            time.sleep(PAUSE)
        return taken

    def _append(self) -> None:
        """One miss of an address and by a network that were never seen."""
        self.number += 1
        client = f"198.{18 + self.number // 256 % 2}.{self.number % 256}.7"
        with self.log.open("a") as out:
            out.write(LINE.format(client=client, rcpt=f"missed.{self.number}@{DOMAIN}"))

    def _stored(self) -> int:
        """Rows come in the order of the lines, and none is pruned. fetchall: a statement not read to its end keeps an old snapshot."""
        return self._state.execute("SELECT coalesce(max(id), 0) FROM miss").fetchall()[0][0]


def percentile_99(taken: list[float]) -> float:
    return sorted(taken)[max(0, -(-len(taken) * 99 // 100) - 1)]
