"""Whatever a server does, and whenever: nobody who exists is refused, and nobody made up is accepted.

Habits, outages, clocks, kills and misses come in a random order, the same one for the same LAB_SEED. Who exists stays as it is;
the tables are looked at all the time, and in the end the history in the state.
"""

from __future__ import annotations

import os
import random
import re
import sqlite3
import time
from contextlib import closing
from dataclasses import replace

import pytest

import habits
from process import wait_for
from test_asking import miss
from wall_clock import WallClock

SEED = os.environ.get("LAB_SEED", "1")
ROUNDS = 16
EXISTING = {"ben@corp.example", *(f"real{number}@corp.example" for number in range(79))}
MADE_UP = {f"made-up{number}@corp.example" for number in range(80)}
HOUR = 3600

UNKNOWN = [habits.NOT_FOUND, habits.USER_UNKNOWN, habits.EDGE_BLOCKING, "550 Unrouteable address", "553 5.1.1 No such mailbox here"]
FAULTS = [{"replies": replies} for replies in (
    habits.NO_ANONYMOUS, habits.BACK_PRESSURE, habits.UNABLE_TO_RELAY, habits.GREYLISTED, habits.BLOCKED, habits.TOO_MANY_CONNECTIONS,
    {"EHLO": "502 5.5.1 Command not implemented"}, {"*": "421 4.3.2 Shutting down"})] + [
    {"close": {verb}} for verb in ("BANNER", "EHLO", "MAIL", "RCPT", "QUIT")]
# Wrong answers. Without any words it is the directory that is lost: nobody exists any more.
REFUSE_ALL = [{}, {"replies": {"RCPT": habits.NOT_FOUND}}]
ACCEPT_ALL = [{"accept_all": True}, {"check_at_end": True}, {"replies": {"RCPT": habits.OK}}]


class Fate:
    """Chance, and what it may do to a server, a watch and its clock. Each look at the tables must find them true."""

    def __init__(self, census, exchange, clock: WallClock, folder) -> None:
        self.sudden = False  # whether all lies begin in the middle of a session, or only those that refuse
        self.census, self.exchange, self.clock, self.folder = census, exchange, clock, folder
        self.random = random.Random(SEED)
        self.done: list[str] = []

    def look(self) -> None:
        tables = {name: {line.split()[0] for line in self.census.table(name)} for name in ("unknown", "learned", "directory")}
        assert not tables["unknown"] & EXISTING, self.story("refused, and they exist", tables["unknown"] & EXISTING)
        accepted = tables["learned"] | tables["directory"]
        assert not accepted - EXISTING, self.story("accepted, and nobody has them", accepted - EXISTING)
        self.accepted, self.refused = accepted, tables["unknown"]

    def story(self, *what: object) -> str:
        return " ".join(map(str, [*what, f"(LAB_SEED={SEED}) after:", *self.done[-12:]]))

    def pass_time(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        wait_for(lambda: self.look() or time.monotonic() >= end, "the end of time", seconds + 10)

    def note(self, *what: object) -> None:
        self.done.append(f"\n  {time.monotonic():.3f} " + " ".join(map(str, what)))

    def waiting(self) -> list[tuple]:
        """The questions that nobody has answered: address, tries, seconds until the next one."""
        with closing(sqlite3.connect(self.census.state)) as state:
            return state.execute("SELECT address, attempts, due / 1000 - ? FROM question JOIN address ON id = address_id",
                                 (int(time.time()),)).fetchall()

    # --- what may happen

    def misses(self) -> None:
        rcpts = self.random.sample(sorted(EXISTING | MADE_UP), self.random.randint(1, 12))
        miss(self.folder, *rcpts, client=self.random.choice(["192.0.2.10", "198.51.100.7", "203.0.113.9"]))
        self.note("missed", *(rcpt.partition("@")[0] for rcpt in rcpts))

    def manners(self) -> habits.Habits:
        """All of them are those of a server that answers rightly."""
        pick = self.random.choice
        return habits.Habits(unknown=pick(UNKNOWN), tarpit=pick([0, 0, 0.05, 0.3]), max_errors=pick([0, 0, 3, 5, 10]),
                             max_sessions=pick([0, 0, 1, 2]), starttls=pick([False, True]), slow_from=pick([0, 0, 0, 4]))

    def change(self, **fault: object) -> None:
        self.exchange.habits = replace(self.manners(), **fault)
        self.note(self.exchange.habits)

    def lie(self) -> None:
        lie = self.random.choice(REFUSE_ALL + ACCEPT_ALL)
        manners = replace(self.manners(), **lie)

        def begin() -> None:
            self.exchange.habits = manners
            if not lie:
                self.exchange.recipients = set()
        sudden = self.sudden or lie in REFUSE_ALL
        self.note("lies", lie or "directory lost", "" if sudden else "(in new sessions)", manners)
        if sudden:
            begin()
        else:
            self.exchange.renew(begin)

    def trouble(self) -> None:
        kind = self.random.choice(["lie", "lie", "fault", "fault", "outage"])
        if kind == "lie":
            self.lie()
        elif kind == "fault":
            self.change(**self.random.choice(FAULTS))
        else:
            self.note("outage")
            self.exchange.stop()
        self.misses()
        self.pass_time(self.random.uniform(0, 0.8))
        if kind == "outage":
            self.exchange.start()
        # With a restart: nobody can see through a lie that begins and ends between two controls.
        self.exchange.renew(self.heal)

    def heal(self) -> None:
        self.exchange.recipients = set(EXISTING)
        self.exchange.habits = habits.Habits()

    def restart(self) -> None:
        self.note("killed")
        self.census.kill()
        self.pass_time(self.random.uniform(0, 0.2))
        self.census.watch(env=self.clock.env)

    def jump(self) -> None:
        ahead = self.random.choice([0, 10, 2 * HOUR, 72 * HOUR, -2 * HOUR, -72 * HOUR])
        self.note("clock", ahead)
        self.clock.set(ahead)

    def round(self) -> None:
        if self.random.random() < 0.7:
            if self.random.random() < 0.5:
                self.restart()  # one that pauses because of the last trouble would not meet the next one
            self.trouble()
        self.change()
        for happens in (self.restart, self.jump):
            if self.random.random() < 0.4:
                happens()
        for _ in range(self.random.randint(1, 4)):
            self.misses()
            self.pass_time(self.random.uniform(0, 0.6))


@pytest.fixture
def fate(postcensus, gateway, exchange, wall_clock, folder):
    exchange.recipients = set(EXISTING)
    general = {**gateway.sections()["general"], "publish-interval": "20ms"}
    postcensus.configure({**gateway.sections(), "general": general, "log": {"source": "file", "path": folder / "misses.log"},
                          "route.exchange": {"domains": "corp.example", "callout": "127.0.0.1:2525", "control": "ben@corp.example"},
                          "budget": {"total": "1000/s", "domain": "1000/s", "network": "60000/m"}})
    (folder / "misses.log").touch()
    return Fate(postcensus, exchange, wall_clock, folder)


def check_history(state: sqlite3.Connection) -> None:
    """The state keeps more than the tables showed when they were looked at."""
    wrong = state.execute("SELECT address, to_answer, cause FROM event JOIN address ON address.id = address_id "
                          "WHERE to_answer IN ('accept', 'closed', 'reject')").fetchall()
    assert not [row for row in wrong if (row[0] in EXISTING) != (row[1] == "accept")]
    callouts = state.execute("SELECT class, address, reply, controls FROM callout JOIN address ON address.id = address_id").fetchall()
    assert {"deliverable", "unknown"} <= {row[0] for row in callouts}
    for row in callouts:
        if row[0] == "deliverable":
            assert row[1] in EXISTING and row[3].startswith("random refused 55"), row
        if row[0] == "unknown":
            known_good = re.fullmatch(r"random refused 55\d.*; (\S+) accepted", row[3])
            assert row[1] in MADE_UP and known_good and known_good[1] in EXISTING, row


@pytest.mark.parametrize("sudden", [False, True], ids=["refuses all at any moment", "accepts all at any moment"])
def test_nobody_is_wronged(fate, sudden):
    fate.sudden = sudden
    fate.census.watch(env=fate.clock.env)
    for _ in range(ROUNDS):
        fate.round()
    # All is well again, and the clock ahead of all that it ever showed: in the end each has its answer.
    fate.exchange.habits = habits.Habits()
    fate.clock.set(100 * HOUR)
    begun = time.monotonic()
    fate.look()
    while (fate.accepted, fate.refused) != (EXISTING, MADE_UP):
        assert time.monotonic() < begun + 75, fate.story("no answer:", EXISTING - fate.accepted, MADE_UP - fate.refused, fate.waiting())
        miss(fate.folder, *sorted(EXISTING - fate.accepted | MADE_UP - fate.refused))
        fate.pass_time(1)
    assert fate.census.stop() == 0
    with closing(sqlite3.connect(fate.census.state)) as state:
        check_history(state)
        assert state.execute("SELECT max(at) - min(at) FROM callout").fetchone()[0] > HOUR * 1000, "the clock did jump"


# --- what it found, without chance

@pytest.mark.parametrize("lie, rcpt", [
    (lambda server: server.recipients.clear(), "real2@corp.example"),
    (lambda server: setattr(server, "habits", habits.Habits(accept_all=True)), "made-up2@corp.example"),
], ids=["refuses all", "accepts all"])
def test_a_lie_that_begins_while_a_session_waits(fate, lie, rcpt):
    fate.census.watch()
    miss(fate.folder, "real1@corp.example")
    fate.census.wait_for(lambda: fate.look() or "real1@corp.example" in fate.accepted, "a session that passed its controls")
    lie(fate.exchange)
    miss(fate.folder, rcpt)
    fate.census.wait_for(lambda: fate.exchange.asked(rcpt) or len(fate.exchange.by_session()) > 1, "the lie to be met")
    fate.pass_time(1)


def test_a_clock_that_goes_back_does_not_stretch_a_pause(fate):
    fate.exchange.habits = habits.Habits(rcpt_replies={"made-up1@corp.example": "452 4.2.2 Later"})
    fate.clock.set(2 * HOUR)
    fate.census.watch(env=fate.clock.env)
    miss(fate.folder, "made-up1@corp.example")
    fate.census.wait_for(lambda: "made-up1@corp.example at 127.0.0.1:2525: retry" in fate.census.log.read_text(), "the first try")
    fate.exchange.habits = habits.Habits()
    fate.clock.set(0)
    fate.pass_time(1)
    miss(fate.folder, "made-up1@corp.example")
    fate.census.wait_for(lambda: fate.look() or "made-up1@corp.example" in fate.refused, "the second one, 5 s later", 15)
