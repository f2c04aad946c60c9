"""Crashes and full disks at each step: nobody is wronged, the tables are whole, and the next run makes all good.

With LAB_EVERY_STEP=1 each step has its turn; otherwise those that touch the tables, and some of the others (LAB_SEED says which).
"""

from __future__ import annotations

import os
import random
import re
import signal

import pytest

from crash import Scenario
from faults import Faults
from gateway import Gateway
from postcensus import Postcensus
from test_asking import accepts, learn, miss, refused

SEED = os.environ.get("LAB_SEED", "1")
EVERY_STEP = os.environ.get("LAB_EVERY_STEP") == "1"
PEOPLE = 12
HOUR = 3600
BUDGET = {"total": "1000/s", "domain": "1000/s", "network": "60000/m"}


@pytest.fixture
def faults(folder, maps, postcensus) -> Faults:
    return Faults(folder / "faults", maps, postcensus.state.parent)


@pytest.fixture
def census(postcensus, folder, maps, table_type) -> Postcensus:
    """Reads a log of our own; its Postfix does not run, and has tables of its own."""
    gateway = Gateway(folder / "gateway", folder / "by-hand", table_type)
    postcensus.configure({**gateway.sections(), "general": {**gateway.sections()["general"], "maps": maps},
                          "log": {"source": "file", "path": folder / "misses.log"}, "budget": BUDGET})
    (folder / "misses.log").touch()
    return postcensus


@pytest.fixture
def listed(census, slapd) -> Postcensus:
    """user0 to user11 with two addresses each are in the directory, and one.small and two.small."""
    slapd.load_many(PEOPLE, aliases=1)
    slapd.load([("one", ["one@small.example"]), ("two", ["two@small.example"])])
    slapd.start()
    census.configure({**census.sections, "directory.corp": slapd.section(census.secret("corp.password", slapd.password)),
                      "route.corp": {"domains": "corp.example small.example", "callout": "none"}})
    return census


@pytest.fixture
def asked(census, exchange) -> Postcensus:
    """Exchange knows some, has one closed to strangers, and nothing is listed."""
    exchange.recipients = {"ben@corp.example", *(f"real{number}@corp.example" for number in range(6))}
    exchange.closed = {"board@corp.example", "team@corp.example"}
    census.configure({**census.sections, "route.exchange": {"domains": "corp.example", "callout": "127.0.0.1:2525",
                                                            "control": "ben@corp.example"}})
    return census


def run(census, *arguments, code: int = 0, **options) -> None:
    done = census.run(*arguments, **options)
    assert done.returncode == code, done.stderr


def users(*numbers: int) -> set[str]:
    return {f"{alias}user{number}@corp.example" for number in numbers for alias in ("", "alias0.")}


@pytest.fixture
def first_sync(listed, faults) -> Scenario:
    return Scenario(listed, faults, ["sync"], users(*range(PEOPLE)))


@pytest.fixture
def sync(listed, slapd, faults) -> Scenario:
    """Two more, an address less, one gone, one moved."""
    run(listed, "sync")
    slapd.add("new", ["new@corp.example", "also.new@corp.example"])
    slapd.set_addresses("cn=user1,ou=people,dc=corp,dc=example", ["user1@corp.example"])
    slapd.set_addresses("cn=user2,ou=people,dc=corp,dc=example", ["moved@corp.example", "alias0.user2@corp.example"])
    slapd.delete("cn=user3,ou=people,dc=corp,dc=example")
    return Scenario(listed, faults, ["sync", "--full"], users(*range(4, PEOPLE), 0) | {"user1@corp.example", "alias0.user2@corp.example"})


@pytest.fixture
def approve(listed, slapd, faults) -> Scenario:
    """A domain that would lose all: held."""
    run(listed, "sync")
    for name in ("one", "two"):
        slapd.delete(f"cn={name},ou=people,dc=corp,dc=example")
    run(listed, "sync", "--full", code=1)
    return Scenario(listed, faults, ["approve"], users(*range(PEOPLE)))


@pytest.fixture
def answered(asked, folder) -> Postcensus:
    """Learned, closed and refused at the true time."""
    run(asked, "watch", "--once")  # sees the log's beginning
    miss(folder, "real0@corp.example", "real1@corp.example", "board@corp.example", "made-up0@corp.example", "made-up1@corp.example")
    run(asked, "watch", "--once")
    assert [len(asked.table(name)) for name in ("directory", "learned", "closed", "unknown")] == [3, 0, 1, 2]
    return asked


@pytest.fixture
def watch_once(answered, folder, faults, wall_clock) -> Scenario:
    """Two hours later: the old refusals are over, and there are new misses."""
    wall_clock.set(2 * HOUR)
    miss(folder, "real2@corp.example", "real3@corp.example", "team@corp.example", "made-up1@corp.example", "made-up2@corp.example")
    return Scenario(answered, faults, ["watch", "--once"], {"real0@corp.example", "real1@corp.example", "board@corp.example"},
                    {"made-up1@corp.example", "made-up2@corp.example"}, wall_clock.env)


@pytest.fixture
def forget(answered, faults) -> Scenario:
    return Scenario(answered, faults, ["forget", "real0@corp.example", "board@corp.example", "made-up0@corp.example"],
                    {"real1@corp.example"}, {"made-up0@corp.example", "made-up1@corp.example"})


@pytest.fixture
def failsafe(answered, faults, wall_clock) -> Scenario:
    """Two days later: neither table is good any more."""
    wall_clock.set(48 * HOUR)
    return Scenario(answered, faults, ["failsafe"], {"real0@corp.example", "real1@corp.example", "board@corp.example"}, set(),
                    wall_clock.env)


@pytest.fixture
def scenario(request) -> Scenario:
    return request.getfixturevalue(request.param)


SCENARIOS = ["first_sync", "sync", "approve", "watch_once", "forget", "failsafe"]


def steps(scenario: Scenario, most: int) -> list[int]:
    """All that touch the tables as Postfix sees them, and of the others as many as there is time for."""
    numbers = range(1, len(scenario.names) + 1)
    print(f"{len(scenario.names)} steps, LAB_SEED={SEED}")
    if EVERY_STEP:
        return list(numbers)
    shown = [number for number in numbers if re.search(r"-> |MAPS/(unknown|closed|learned|directory)", scenario.names[number - 1])]
    others = [number for number in numbers if number not in shown]
    rest = max(most - len(shown), most // 4)
    every = max(1, len(others) // rest)
    return sorted(shown + others[random.Random(SEED).randrange(every)::every])


@pytest.mark.parametrize("scenario", SCENARIOS, indirect=True)
def test_killed_at_a_step(scenario, request):
    for step in steps(scenario, 25):
        at = f"killed at step {step}, {scenario.names[step - 1]}"
        scenario.restore()
        scenario.faults.kill(step)
        assert scenario.run() == -signal.SIGKILL, at
        scenario.faults.heal()
        scenario.check_tables(at)
        if step % 2:
            scenario.failsafe(at)
        scenario.check_recovery(at)
        scenario.failsafe(at)
