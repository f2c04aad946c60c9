"""What ends a rejection: the watch, or failsafe where the watch is dead, frozen or without disk. Clocks jump meanwhile."""

from __future__ import annotations

import re

import pytest

from crash import Scenario, read_index, read_text
from test_asking import miss
from test_crash import HOUR, answered, asked, census, faults, forget, journal, run, scenario, watch_once  # noqa: F401 (fixtures)

DAY = 24 * HOUR
GRACE = 60
LOOK = 10 + 5  # a watch looks at its tables every 10 s


class Leases:
    """The tables `unknown` and `closed` of a census, by a clock that jumps."""

    def __init__(self, census, clock, env=None) -> None:
        self.census, self.clock, self.env = census, clock, {**clock.env, **(env or {})}

    def watch(self):
        return self.census.watch(env=self.env, log_level="info")

    def failsafe(self) -> str:
        done = self.census.run("failsafe", "--maps", self.census.maps, env=self.env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def failsafe_of_others(self) -> str:
        """Its steps are not counted."""
        done = self.census.run("failsafe", "--maps", self.census.maps, env=self.clock.env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def holds(self, table: str) -> bool:
        """Whether Postfix finds anything there."""
        return bool(read_index("lmdb", self.census.maps / table))

    def failsafe_beside_watch(self) -> None:
        """And the watch, woken by a command, has seen what it did, and has written what it thinks right."""
        emptied = re.findall(r"emptied \S+/(\w+):", self.failsafe())
        run(self.census, "forget", "nobody-ever@corp.example", env=self.clock.env)
        self.census.wait_for(lambda: all("\n# generation: " in (self.census.maps / table).read_text() for table in emptied),
                             "the watch to write what failsafe emptied", LOOK)

    def wait_empty(self, table: str) -> None:
        self.census.wait_for(lambda: not self.holds(table), f"{table} empty", LOOK)


@pytest.fixture
def leases(answered, wall_clock) -> Leases:
    """Two are refused and one is closed, since a moment ago."""
    return Leases(answered, wall_clock)


def accepted(census) -> set[str]:
    return {line.split("\t")[0] for name in ("directory", "learned") for line in read_index("lmdb", census.maps / name) or ()}


@pytest.fixture(params=["dead", "frozen", "frozen and no spare", "frozen and a full disk"])
def alone(leases, request, faults):
    """Nobody but failsafe tends the tables."""
    if "full" in request.param:
        leases.env = {**faults.env, **leases.env, "LD_PRELOAD": f"{faults.env['LD_PRELOAD']}:{leases.env['LD_PRELOAD']}"}
    if "frozen" in request.param:
        leases.watch().freeze()
    if "spare" in request.param:
        for path in leases.census.maps.glob("*.empty*"):
            path.unlink()
    if "full" in request.param:
        faults.full()
    yield leases
    if "frozen" in request.param:
        leases.census.process.thaw()


@pytest.mark.parametrize("table, lease", [("unknown", HOUR), ("closed", DAY)])
def test_failsafe_ends_what_nobody_tends(alone, table, lease):
    before = accepted(alone.census)
    assert alone.failsafe() == "" and alone.holds(table)
    alone.clock.set(lease - 30)
    alone.failsafe()
    assert alone.holds(table)
    alone.clock.set(lease + GRACE + 5)
    assert re.search(rf"emptied \S+/{table}: it was good until", alone.failsafe())
    assert not alone.holds(table)
    assert accepted(alone.census) == before


@pytest.mark.parametrize("table, lease", [("unknown", HOUR), ("closed", DAY)])
def test_a_watch_ends_it_by_itself(leases, exchange, table, lease):
    leases.watch()
    exchange.stop()
    before = accepted(leases.census)
    leases.clock.set(lease + 5)
    leases.wait_empty(table)
    assert accepted(leases.census) == before
    assert leases.census.stop() == 0


@pytest.mark.parametrize("table, lease", [("unknown", HOUR), ("closed", DAY)])
@pytest.mark.parametrize("back", [2 * HOUR, 72 * HOUR], ids=["2 hours", "3 days"])
def test_a_clock_that_goes_back_does_not_prolong_it(leases, exchange, table, lease, back):
    """By the time that really passes it is over at its end, with the watch and failsafe both at work."""
    leases.watch()
    exchange.stop()
    leases.clock.set(-back)
    leases.failsafe_beside_watch()
    leases.clock.set(-back + lease + GRACE + 5)
    leases.failsafe_beside_watch()
    leases.failsafe()
    assert not leases.holds(table), (leases.census.maps / table).read_text()
    assert leases.census.stop() == 0


def test_a_clock_that_was_ahead_for_a_while(leases):
    """Refused while it was, and then it is set right: no rejection from the future."""
    leases.clock.set(72 * HOUR)
    leases.watch()
    miss(leases.census.folder.parent, "made-up7@corp.example")
    leases.census.wait_for(lambda: any("made-up7" in line for line in leases.census.table("unknown")), "a refusal")
    leases.clock.set(0)
    leases.failsafe_beside_watch()
    leases.clock.set(HOUR + GRACE + 5)
    leases.failsafe_beside_watch()
    leases.failsafe()
    assert not leases.holds("unknown"), (leases.census.maps / "unknown").read_text()


def test_a_spare_that_is_gone_comes_back(leases):
    leases.watch()
    for path in leases.census.maps.glob("*.empty*"):
        path.unlink()
    leases.census.wait_for(lambda: len(list(leases.census.maps.glob("*.empty*"))) == 4, "the spares", LOOK)


# --- failsafe and a publication at the same time

def consistent(scenario: Scenario) -> None:
    for name in ("unknown", "closed"):
        path = scenario.census.maps / name
        found, text = read_index(scenario.kind, path), read_text(path)
        assert found == text, f"{name}: Postfix finds {found}, its text has {text}"


def all_over(scenario: Scenario, wall_clock) -> None:
    """Nobody publishes any more, and all leases end: failsafe leaves nothing."""
    wall_clock.set(72 * HOUR)
    done = scenario.census.run("failsafe", "--maps", scenario.census.maps, env=wall_clock.env)
    assert done.returncode == 0, done.stderr
    for name in ("unknown", "closed"):
        left = read_index(scenario.kind, scenario.census.maps / name)
        assert not left, f"{name}: {set(left)} for ever"


def renames(scenario: Scenario) -> list[int]:
    """The steps at which `unknown` or `closed` change, and those just behind."""
    at = [step for step, name in enumerate(scenario.names, 1) if re.search(r"-> MAPS/(unknown|closed)\b(?!\.empty)", name)]
    return sorted({*at, *(step + 1 for step in at)})


@pytest.mark.parametrize("scenario", ["watch_once", "forget"], indirect=True)
def test_failsafe_in_the_middle_of_a_publication(scenario, wall_clock):
    """The publication goes on when failsafe has ended."""
    wrong = []
    for step in renames(scenario):
        scenario.restore()
        wall_clock.set(2 * HOUR)
        scenario.faults.stop(step)
        process = scenario.start()
        scenario.faults.wait_stopped()
        run(scenario.census, "failsafe", "--maps", scenario.census.maps, env=wall_clock.env)
        scenario.faults.go_on()
        assert process.wait() == 0
        try:
            all_over(scenario, wall_clock)
            consistent(scenario)
        except AssertionError as error:
            wrong.append(f"failsafe before step {step}, {scenario.names[step - 1]}: {error}")
    assert not wrong, "\n".join(wrong)


def test_a_publication_in_the_middle_of_failsafe(watch_once, wall_clock):
    """Failsafe, at the end of a lease, is slow: a watch publishes between its steps, and dies."""
    wrong = []
    failsafe = Scenario.__new__(Scenario)
    failsafe.__dict__.update(watch_once.__dict__, arguments=["failsafe"])
    for step in range(1, 6):
        watch_once.restore()
        wall_clock.set(2 * HOUR)
        watch_once.faults.stop(step)
        process = failsafe.start()
        watch_once.faults.wait_stopped()
        name = watch_once.faults.name(step)
        run(watch_once.census, "watch", "--once", env=wall_clock.env)
        watch_once.faults.go_on()
        assert process.wait() == 0, failsafe.said.read_text()
        try:
            all_over(watch_once, wall_clock)
        except AssertionError as error:
            wrong.append(f"a publication before step {step}, {name}: {error}")
    assert not wrong, "\n".join(wrong)


def test_a_watch_that_is_frozen_in_the_middle_of_a_publication(answered, faults, wall_clock, folder):
    """Before it renames the index, until after the end of all leases, with failsafe beside it. What it puts out then does not stay."""
    leases = Leases(answered, wall_clock, {**faults.env, "LD_PRELOAD": f"{faults.env['LD_PRELOAD']}:{wall_clock.env['LD_PRELOAD']}"})
    leases.watch()
    faults.stop_before("-> MAPS/unknown.lmdb")
    miss(folder, "made-up9@corp.example")
    faults.wait_stopped()
    wall_clock.set(HOUR + GRACE + 5)
    assert "emptied" in leases.failsafe_of_others()
    assert not leases.holds("unknown")
    faults.go_on()
    leases.wait_empty("unknown")
    answered.kill()
    leases.failsafe_of_others()
    assert not leases.holds("unknown")


def test_failsafe_and_a_watch_that_never_rest(answered, wall_clock, folder):
    """Leases of a second, new refusals all the time, and failsafe in a loop: then all die, and nothing is left."""
    leases = Leases(answered, wall_clock)
    answered.set("general", publish_interval="0")
    answered.set("route.exchange", unknown_expire="1s")
    leases.watch()
    emptied = 0
    for number in range(60):
        miss(folder, f"nobody{number}@corp.example")
        emptied += "unknown" in leases.failsafe()
        assert {"real0@corp.example", "real1@corp.example", "board@corp.example"} <= accepted(answered)
    answered.process.kill_group()
    wall_clock.set(2 * DAY)
    leases.failsafe()
    assert not leases.holds("unknown") and not leases.holds("closed")
    assert journal(answered).count("published unknown") > 10
