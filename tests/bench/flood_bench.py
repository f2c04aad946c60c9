"""A harvester at full speed: a million misses of made-up recipients, while real mailboxes are missed from elsewhere."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Callable

from exchange import ExchangeStandIn
from gateway import Gateway
from measure import cpu, peak, row
from misses import LINE
from postcensus import Postcensus
from process import LabError, wait_for

FLOOD, PIECE, NETWORKS, REAL = 1_000_000, 500, 20, 20
BETWEEN = 1.0  # seconds between two real ones
RETRY = 65.0  # between two tries of a sender; those that come back after a minute go first


def network(number: int) -> str:
    """A client of the network of this number: each has a /24 of its own below 2^24."""
    return f"{1 + number // 65536 % 200}.{number // 256 % 256}.{number % 256}.9"


class Flood:
    """Writes the log as fast as the disk takes it, in a thread of its own."""

    def __init__(self, log: Path, networks: int) -> None:
        self.log, self.networks, self.lock = log, networks, threading.Lock()
        self.seconds = 0.0
        self._thread = threading.Thread(target=self._write)

    def start(self) -> None:
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def add(self, lines: str) -> None:
        with self.lock, self.log.open("a") as log:
            log.write(lines)

    def _write(self) -> None:
        begun = time.perf_counter()
        for first in range(0, FLOOD, PIECE):
            self.add("".join(LINE.format(client=network(number % self.networks), rcpt=f"made-up.{number}@corp.example")
                             for number in range(first, first + PIECE)))
        self.seconds = time.perf_counter() - begun

    def join(self) -> None:
        self._thread.join()


class FloodBench:
    def __init__(self, folder: Path) -> None:
        self.folder, self.number = folder, 0
        self.gateway = Gateway(folder / "gateway", folder / "maps")
        self.exchange = ExchangeStandIn(recipients={"control@corp.example"})

    def run(self, networks: int, retry: bool) -> None:
        self.number += 1
        self.exchange.forget()
        log = self.folder / f"misses{self.number}.log"
        log.write_text("")
        census = Postcensus(self.folder / f"census{self.number}", self.folder / f"maps{self.number}")
        sections = self.gateway.sections()
        sections["general"] |= {"maps": census.maps}
        census.configure({**sections, "log": {"source": "file", "path": log}, "route.exchange": {
            "domains": "corp.example", "callout": "127.0.0.1:2525", "control": "control@corp.example"}})
        watch = census.watch(log_level="warning")
        flood = Flood(log, networks)
        begun, used = time.perf_counter(), cpu(watch.child.pid)
        flood.start()
        real = [f"real{self.number}.{number}@corp.example" for number in range(REAL)]
        self.exchange.recipients |= set(real)
        slowest = self._miss_all(census, flood, real, retry)
        flood.join()
        # Whatever is still to be read of the flood.
        self._wait_read(census, log)
        seconds = time.perf_counter() - begun
        asked = len([rcpt for rcpt in self.exchange.asked() if rcpt.startswith("made-up.")])
        what = f"{NETWORKS} networks" if networks == NETWORKS else "as many networks"
        row(f"flood of {FLOOD} misses from {what}: slowest of {REAL} real mailboxes until it is accepted", slowest)
        row("  questions sent / the budget of 50 and 5 a second", asked, 50 + 5 * seconds, "times")
        row("  memory of watch", peak(watch.child.pid) / 1024, unit="MB")
        row("  the state", sum(p.stat().st_size for p in census.state.parent.glob("state.db*")) / 1e6, unit="MB")
        row("  processor time of watch / the flood's length", cpu(watch.child.pid) - used, flood.seconds)
        if census.stop():
            raise LabError("watch did not end well")

    def _miss_all(self, census: Postcensus, flood: Flood, real: list[str], retry: bool) -> float:
        """Each is missed from a network of its own; with `retry` again after each minute, as mail servers do, until it
        is accepted. The slowest, from its last miss on."""
        due: list[tuple[float, str]] = []
        missed: dict[str, float] = {}
        tries: Counter[str] = Counter()
        begun = time.perf_counter()
        for number, rcpt in enumerate(real):
            due.append((begun + number * BETWEEN, rcpt))
        accepted: dict[str, float] = {}

        def step() -> bool:
            now = time.perf_counter()
            while due and due[0][0] <= now:
                _, rcpt = due.pop(0)
                if rcpt not in accepted:
                    missed[rcpt] = now
                    tries[rcpt] += 1
                    if retry:
                        due.append((now + RETRY, rcpt))
                    flood.add(LINE.format(client=f"203.{real.index(rcpt)}.113.5", rcpt=rcpt))
            lines = {line.split()[0] for name in ("learned", "directory") for line in census.table(name)}
            for rcpt in real:
                if rcpt in lines and rcpt not in accepted:
                    accepted[rcpt] = now
            return len(accepted) == len(real)

        wait_for(step, "all real ones accepted", 300)
        # More than two: the flood made it forget that it had seen this one.
        row("  tries of the one that needed most", max(tries.values()), unit="times")
        return max(accepted[rcpt] - missed[rcpt] for rcpt in real)

    def _wait_read(self, census: Postcensus, log: Path) -> None:
        """Until watch is at the end of the log: its mark says so."""
        import sqlite3
        state = sqlite3.connect(f"file:{census.state}?mode=ro", uri=True, timeout=60)
        counted: Callable[[], int] = lambda: state.execute(
            "SELECT coalesce(sum(value), 0) FROM counter WHERE name = 'misses'").fetchall()[0][0]
        wait_for(lambda: counted() >= FLOOD, "the flood read to its end", 300)
        state.close()


def run(folder: Path) -> None:
    bench = FloodBench(folder)
    bench.gateway.start()
    bench.exchange.start()
    try:
        bench.run(NETWORKS, retry=False)
        bench.run(FLOOD, retry=True)
    finally:
        bench.exchange.stop()
        bench.gateway.kill()
