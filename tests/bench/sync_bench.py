"""The directory sync against slapd with 30,000 and 300,000 people, and the misses that `watch` commits meanwhile.

The peers: ldapsearch alone into a file (the directory's own speed), and the script that people run from cron.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import people
from large_directory import KINDS, LargeDirectory
from measure import TIMES, Command, LabError, Run, best, cpu, measure, peak, row
from misses import Misses, percentile_99
from postcensus import Postcensus
from process import command, tail, wait_for

SIZES = (30_000, 300_000)
CHANGES = 100
MANY = 10_000
POLLS = 200
MISSES = 200  # at least so many for a 99th percentile
START = 50  # misses, a second's worth, that meet a watch which has just begun
# `sync` tells by this that a watch goes on with what it has not published within 10 s.
LATE = 75


class SyncBench:
    """What was measured is kept by its name, so that its growth can be told."""

    def __init__(self, folder: Path, objects: int) -> None:
        self.objects = objects
        self.directory = LargeDirectory(folder, objects)
        self.rounds = 0
        self.found: dict[str, tuple[float, float | None]] = {}

    def run(self) -> None:
        self.directory.start()
        try:
            search, scripts = self.directory.peers()
            for kind, script in scripts.items():
                census, first = self.first(kind)
                self.show(f"first sync, published as {kind} / ldapsearch alone", first, search, memory=False)
                self.show(f"first sync, published as {kind} / script", first, script)
            full = best(lambda: measure(sync(census, "--full")))
            self.show("full sync without a change / ldapsearch alone", full, search)
            self.show("full sync without a change / script", full, script, memory=False)
            same = best(lambda: measure(sync(census)))
            self.show("sync without a change / script", same, script)
            self.poll(census)
            changed = best(lambda: self.change(census))
            self.show(f"sync of {CHANGES} changes until Postfix accepts / script", changed, script)
            self.apply_many(census)
            quiet = self.beside_watch(census, script)
            self.beside_first(list(KINDS)[-1], quiet)
        finally:
            self.directory.stop()

    def first(self, kind: str) -> tuple[Postcensus, Run]:
        """Syncs of empty states; and the last of these."""
        made: list[Postcensus] = []

        def work() -> Run:
            made.append(self.directory.census(kind))
            run = measure(sync(made[-1]))
            ends = [people.address(0), people.address(self.objects - 1)]
            if not self.directory.accepted(made[-1], ends):
                raise LabError(f"after a first sync Postfix does not accept {ends}")
            return run
        run = best(work)
        return made[-1], run

    def change(self, census: Postcensus) -> Run:
        """From the moment when the directory has the new addresses to the one when Postfix would accept all of them."""
        numbers = range(self.rounds * CHANGES, (self.rounds + 1) * CHANGES)
        ldif, moved = people.moves(numbers, f"moved{self.rounds}")
        self.rounds += 1
        self.directory.slapd.ldif(ldif)
        before = self.directory.tables(census)
        begun = perf_counter()
        running = Command(sync(census))

        def over() -> bool:
            # Asking Postfix costs time that the sync needs, so only when a table is another.
            if self.directory.tables(census) != before and self.directory.accepted(census, moved):
                return True
            return not census.process and not running.running
        wait_for(over, f"Postfix to accept {CHANGES} new addresses", 120, lambda: tail(census.log))
        seconds = perf_counter() - begun
        run = running.finish((0, LATE) if census.process else (0,))
        if not self.directory.accepted(census, moved):
            raise LabError(f"after a sync of {CHANGES} changes Postfix does not accept all of them")
        return replace(run, seconds=seconds)

    def apply_many(self, census: Postcensus) -> None:
        """The transaction for which all other writers wait."""
        took = []
        for number in range(TIMES):
            ldif, added = people.aliases(range(MANY), f"alias{number}")
            self.directory.slapd.ldif(ldif)
            done = command([*sync(census)[:3], "--log-level", "info", "sync"])
            if not self.directory.accepted(census, added):
                raise LabError(f"after a sync of {MANY} changes Postfix does not accept all of them")
            took.append(int(re.search(rf"applied {MANY} differences in (\d+) ms", done.stderr + done.stdout)[1]))
        self.keep(f"the transaction that applies {MANY} changes", "ms", min(took))

    def poll(self, census: Postcensus) -> None:
        """What a poll without a change costs us: CPU time, for the rest is the directory's."""
        census.set("directory.corp", poll_interval="20ms")
        watch = census.watch()
        polls = lambda: census.log.read_text().count("corp: polled")  # noqa: E731
        try:
            wait_for(lambda: polls() >= START, "watch to poll", 60)
            before, number = cpu(watch.pid), polls()
            wait_for(lambda: polls() >= number + POLLS, "watch to poll on", 60)
            self.keep("a poll without a change, our CPU time", "ms", 1000 * (cpu(watch.pid) - before) / (polls() - number))
        finally:
            census.stop()
            census.set("directory.corp", poll_interval="0s")

    def beside_watch(self, census: Postcensus, script: Run) -> list[float]:
        """How soon a watch stores a miss: at first, while it has nothing else to do, and beside full syncs; what it does for a sync."""
        watch = census.watch(log_level="info")
        misses = Misses(self.directory.log, census.state, census.log)
        try:
            start = misses.during(lambda: misses.number < START)
            quiet = misses.during(lambda: misses.number < START + MISSES)
            busy: list[float] = []
            while len(busy) < MISSES:
                busy += self.misses_beside(misses, census)
            self.keep("a miss in the state just after watch was ready, the longest", "ms", 1000 * max(start))
            self.show_misses("beside full syncs without a change", busy, quiet)
            changed = best(lambda: self.change(census))
            self.show(f"sync of {CHANGES} changes beside watch until Postfix accepts / script", changed, script)
            self.keep("memory of watch", "MB", peak(watch.pid) / 1024)
        finally:
            misses.close()
            census.stop()
        return quiet

    def beside_first(self, kind: str, quiet: list[float]) -> None:
        """The hardest: all that the directory has is new."""
        census = self.directory.census(kind)
        census.watch(log_level="info")
        misses = Misses(self.directory.log, census.state, census.log)
        try:
            self.show_misses("beside a first sync", self.misses_beside(misses, census), quiet)
        finally:
            misses.close()
            census.stop()

    def misses_beside(self, misses: Misses, census: Postcensus) -> list[float]:
        full = Command(sync(census, "--full"))
        taken = misses.during(lambda: full.running)
        full.finish((0, LATE))
        return taken

    def show(self, what: str, ours: Run, peer: Run, memory: bool = True) -> None:
        self.keep(what, "s", ours.seconds, peer.seconds)
        if memory:
            self.keep(f"memory of {what}", "MB", ours.memory / 1024, peer.memory / 1024)
        if memory and ours.memory > 1.05 * ours.alone:  # a child of it was larger
            self.keep(f"memory of {what.split(' / ')[0]}, without its postmap", "MB", ours.alone / 1024)

    def show_misses(self, beside: str, busy: list[float], quiet: list[float]) -> None:
        self.keep(f"a miss in the state {beside}, 99th of 100 / without", "ms", 1000 * percentile_99(busy), 1000 * percentile_99(quiet))
        self.keep(f"a miss in the state {beside}, the longest / without", "ms", 1000 * max(busy), 1000 * max(quiet))

    def keep(self, what: str, unit: str, ours: float, peer: float | None = None) -> None:
        row(f"{self.objects} objects: {what}", ours, peer, unit)
        self.found[what] = (ours, peer)


def sync(census: Postcensus, *options: str) -> list[str | Path]:
    return [census.binary, "--config", census.conf, "sync", *options]


def run(folder: Path) -> None:
    benches = []
    for objects in SIZES:
        place = folder / str(objects)
        place.mkdir()
        bench = SyncBench(place, objects)
        bench.run()
        benches.append(bench)
        shutil.rmtree(place)  # memory, in the lab
    small, large = benches
    for what, (ours, peer) in large.found.items():
        if what in small.found:
            before, peer_before = small.found[what]
            row(f"growth from {small.objects} to {large.objects} objects: {what}", ours / before,
                peer / peer_before if peer and peer_before else None, "times")
