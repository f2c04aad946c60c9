"""A sync that is killed at any moment leaves tables that are whole, and the next one makes all good."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from postcensus import Postcensus

PEOPLE = 2000
ROUNDS = 12


@pytest.fixture
def census(postcensus, gateway, slapd):
    slapd.load_many(PEOPLE)
    slapd.start()
    postcensus.configure({**gateway.sections(),
                          "directory.corp": slapd.section(postcensus.secret("corp.password", slapd.password)),
                          "route.corp": {"domains": "corp.example", "callout": "none"}})
    return postcensus


def sync_killed_after(census: Postcensus, seconds: float, *options: str) -> bool:
    """Whether it was still running then."""
    argv = [str(census.binary), "--config", str(census.conf), "sync", *options]
    with (census.folder / "killed.log").open("ab") as log:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
    return child.wait() == -signal.SIGKILL


def accepted(census: Postcensus, gateway, addresses: list[str]) -> set[str]:
    """What Postfix itself finds in the indexes of the tables that are there."""
    found: set[str] = set()
    for name in ("directory", "learned"):
        if (census.maps / name).exists():
            found |= gateway.postmap_find(gateway.path(name), addresses)
    return found


def lines(census: Postcensus) -> list[str]:
    """All that is accepted, whichever table has it."""
    return sorted(set(census.table("directory")) | set(census.table("learned")))


def another(census: Postcensus, folder: Path) -> Postcensus:
    """One with the same configuration and an empty state."""
    folder.mkdir()
    twin = Postcensus(folder)
    twin.configure({**census.sections, "general": {**census.sections["general"], "state": twin.state, "maps": twin.maps}})
    return twin


def sync(census: Postcensus, *options: str) -> float:
    """Its time in seconds."""
    begun = time.monotonic()
    done = census.run("sync", *options)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - begun


def moments(whole: float) -> list[float]:
    """Spread over something that takes so long, in no order."""
    spread = [whole * (number + 0.5) / ROUNDS for number in range(ROUNDS)]
    random.Random(1).shuffle(spread)
    return spread


def test_a_first_sync_that_is_killed_at_any_moment(census, folder):
    twin = another(census, folder / "twin")
    whole = sync(twin)
    killed = 0
    for number, moment in enumerate(moments(whole)):
        one = another(census, folder / str(number))
        killed += sync_killed_after(one, moment)
        assert lines(one) in ([], lines(twin)), "a table is whole or not there"
        sync(one)
        assert lines(one) == lines(twin)
    assert killed > ROUNDS / 2


def test_changes_while_syncs_are_killed_at_any_moment(census, gateway, slapd, folder):
    """Who was never touched is accepted all the time, and in the end the tables are what they would be without a kill."""
    sync(census)
    always = [f"user{number}@corp.example" for number in range(PEOPLE - 200, PEOPLE)]
    killed = 0
    for options in ((), ("--full",)):
        whole = sync(census, *options)
        for moment in moments(whole):
            number = killed + ROUNDS * len(options)
            slapd.set_addresses(f"cn=user{number},ou=people,dc=corp,dc=example",
                                [f"moved{number}@corp.example", f"alias0.user{number}@corp.example"])
            killed += sync_killed_after(census, moment, *options)
            assert accepted(census, gateway, always) == set(always)
    assert killed > ROUNDS
    sync(census, "--full")
    twin = another(census, folder / "twin")
    sync(twin)
    assert lines(census) == lines(twin)
    with closing(sqlite3.connect(census.state)) as state:
        assert state.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
