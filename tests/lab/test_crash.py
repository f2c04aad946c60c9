"""Crashes and full disks at each step: nobody is wronged, the tables are whole, and the next run makes all good.

With LAB_EVERY_STEP=1 each step has its turn; otherwise those that touch the tables, and some of the others (LAB_SEED says which).
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from crash import CANNOT_WRITE, Scenario, kill_all, read_index
from disk import Disk
from faults import Faults
from gateway import Gateway
from postcensus import Postcensus
from process import LabError, Process, wait_for
from reader import Reader
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
def first_sync(listed, faults, table_type) -> Scenario:
    return Scenario(listed, faults, table_type, ["sync"], users(*range(PEOPLE)))


@pytest.fixture
def sync(listed, slapd, faults, table_type) -> Scenario:
    """Two more, an address less, one gone, one moved."""
    run(listed, "sync")
    slapd.add("new", ["new@corp.example", "also.new@corp.example"])
    slapd.set_addresses("cn=user1,ou=people,dc=corp,dc=example", ["user1@corp.example"])
    slapd.set_addresses("cn=user2,ou=people,dc=corp,dc=example", ["moved@corp.example", "alias0.user2@corp.example"])
    slapd.delete("cn=user3,ou=people,dc=corp,dc=example")
    return Scenario(listed, faults, table_type, ["sync", "--full"],
                    users(*range(4, PEOPLE), 0) | {"user1@corp.example", "alias0.user2@corp.example"})


@pytest.fixture
def approve(listed, slapd, faults, table_type) -> Scenario:
    """A domain that would lose all: held."""
    run(listed, "sync")
    for name in ("one", "two"):
        slapd.delete(f"cn={name},ou=people,dc=corp,dc=example")
    run(listed, "sync", "--full", code=1)
    return Scenario(listed, faults, table_type, ["approve"], users(*range(PEOPLE)))


@pytest.fixture
def answered(asked, folder) -> Postcensus:
    """Learned, closed and refused at the true time."""
    run(asked, "watch", "--once")  # sees the log's beginning
    miss(folder, "real0@corp.example", "real1@corp.example", "board@corp.example", "made-up0@corp.example", "made-up1@corp.example")
    run(asked, "watch", "--once")
    assert [len(asked.table(name)) for name in ("directory", "learned", "closed", "unknown")] == [3, 0, 1, 2]
    return asked


@pytest.fixture
def watch_once(answered, folder, faults, wall_clock, table_type) -> Scenario:
    """Two hours later: the old refusals are over, and there are new misses."""
    wall_clock.set(2 * HOUR)
    miss(folder, "real2@corp.example", "real3@corp.example", "team@corp.example", "made-up1@corp.example", "made-up2@corp.example")
    return Scenario(answered, faults, table_type, ["watch", "--once"],
                    {"real0@corp.example", "real1@corp.example", "board@corp.example"},
                    {"made-up1@corp.example", "made-up2@corp.example"}, wall_clock.env)


@pytest.fixture
def forget(answered, faults, table_type) -> Scenario:
    return Scenario(answered, faults, table_type, ["forget", "real0@corp.example", "board@corp.example", "made-up0@corp.example"],
                    {"real1@corp.example"}, {"made-up0@corp.example", "made-up1@corp.example"})


@pytest.fixture
def failsafe(answered, faults, wall_clock, table_type) -> Scenario:
    """Two days later: neither table is good any more."""
    wall_clock.set(48 * HOUR)
    return Scenario(answered, faults, table_type, ["failsafe"],
                    {"real0@corp.example", "real1@corp.example", "board@corp.example"}, set(), wall_clock.env)


@pytest.fixture
def scenario(request, table_type) -> Scenario:
    return request.getfixturevalue(request.param)


LMDB = [(name, "lmdb") for name in ("first_sync", "sync", "approve", "watch_once", "forget", "failsafe")]
OTHERS = [("sync", "hash"), ("watch_once", "btree"), ("forget", "cdb")]


def scenarios(some: list[tuple[str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("scenario, table_type", some, indirect=["scenario"], ids=["-".join(each) for each in some])


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


class Findings(list):
    """What went wrong, at which step. The steps behind it have their turn all the same, as long as few go wrong."""

    @contextmanager
    def at(self, scenario: Scenario, what: str, step: int):
        scenario.restore()
        try:
            yield
        except (AssertionError, LabError) as error:
            self.append(f"{what} step {step}, {scenario.names[step - 1]}:\n  {str(error)[:800]}")
            assert len(self) < 5, str(self)
        finally:
            scenario.faults.count()

    def __str__(self) -> str:
        return f"{len(self)} findings\n" + "\n".join(self)


@scenarios(LMDB + OTHERS)
def test_killed_at_a_step(scenario):
    findings = Findings()
    for step in steps(scenario, 20):
        behind = step == len(scenario.names) or step % 3 == 0
        with findings.at(scenario, "killed behind" if behind else "killed at", step):
            scenario.faults.kill(step, behind)
            assert scenario.run() == -signal.SIGKILL
            scenario.faults.heal()
            scenario.check_tables()
            if step % 2:
                scenario.failsafe()
            scenario.check_recovery()
            scenario.failsafe()
    assert not findings, str(findings)


@scenarios(LMDB + [("sync", "hash")])
def test_a_disk_that_is_full_from_a_step_on(scenario):
    findings, failed = Findings(), 0
    for step in steps(scenario, 10):
        with findings.at(scenario, "full from", step):
            scenario.faults.full(step)
            code = scenario.run_until_healed()
            if not scenario.faults.hits:
                continue  # what is left to do wants no space
            failed += code == CANNOT_WRITE
            scenario.check_tables(withdrawn=True)
            scenario.check_error(code)
            scenario.failsafe()  # it wants none either
            scenario.check_recovery()
    assert not findings, str(findings)
    assert failed or scenario.arguments == ["failsafe"]


@scenarios(LMDB)
def test_a_disk_that_is_read_only_from_a_step_on(scenario):
    findings, failed = Findings(), 0
    for step in steps(scenario, 4):
        with findings.at(scenario, "read-only from", step):
            scenario.faults.read_only(step)
            code = scenario.run_until_healed()
            if not scenario.faults.hits:
                continue
            failed += code == CANNOT_WRITE
            scenario.check_tables()
            scenario.check_error(code)
            scenario.check_recovery()
    assert not findings, str(findings)
    assert failed


# --- without a library that plays the disk

@pytest.fixture
def disk(folder) -> Disk:
    """A real one of 8 MB, for the state and the tables."""
    disk = Disk(folder / "disk")
    yield disk
    disk.unmount()


@pytest.fixture
def on_disk(disk, postcensus, folder, maps, request) -> Scenario:
    """`sync` with its state and its tables there."""
    postcensus.state, postcensus.maps = disk.folder / "state" / "state.db", disk.folder / "maps"
    for path in (postcensus.state.parent, postcensus.maps):
        path.mkdir()
        shutil.chown(path, postcensus.owner)
    listed = request.getfixturevalue("listed")
    listed.set("general", state=listed.state, maps=listed.maps)
    run(listed, "sync")
    request.getfixturevalue("slapd").add("new", ["new@corp.example", "also.new@corp.example"])
    faults = Faults(folder / "faults", listed.maps, listed.state.parent)
    return Scenario(listed, faults, "lmdb", ["sync", "--full"], users(*range(PEOPLE)))


@pytest.mark.parametrize("left", [0, 4, 16, 48, 96, 160], ids="{} KB left".format)
def test_a_disk_that_is_really_full(on_disk, disk, left):
    on_disk.restore()
    disk.fill(left * 1024)
    code = on_disk.run()
    on_disk.check_tables()
    on_disk.check_error(code)
    disk.free()
    on_disk.check_recovery()
    if not left:
        assert code == CANNOT_WRITE


def test_a_disk_that_is_really_read_only(on_disk, disk):
    on_disk.restore()
    before = on_disk.tables()
    disk.remount("ro")
    assert on_disk.run() == CANNOT_WRITE
    on_disk.check_error(CANNOT_WRITE)
    assert on_disk.tables() == before
    disk.remount("rw")
    on_disk.check_recovery()


def cannot_write(scenario: Scenario, path: Path) -> None:
    """A run while `path` belongs to somebody else and lets nobody write, and one when that is over."""
    scenario.restore()
    before, facts = scenario.tables(), path.stat()
    path.chmod(0o555 if path.is_dir() else 0o444)
    if path != scenario.census.state.parent:  # whose owner the program becomes
        os.chown(path, 0, 0)
    assert scenario.run() == CANNOT_WRITE, scenario.said.read_text()
    assert re.search("not writable|may this user write|cannot (open|write)", scenario.said.read_text())
    assert scenario.tables() == before
    path.chmod(facts.st_mode & 0o777)
    os.chown(path, facts.st_uid, facts.st_gid)
    scenario.check_recovery()


@pytest.mark.parametrize("scenario", ["sync", "watch_once"], indirect=True)
@pytest.mark.parametrize("which", ["state", "tables"])
def test_a_folder_that_belongs_to_somebody_else(scenario, which):
    cannot_write(scenario, scenario.census.maps if which == "tables" else scenario.census.state.parent)


def test_a_state_that_belongs_to_somebody_else(sync):
    """Nothing of that time is left in the way."""
    cannot_write(sync, sync.census.state)


# --- what is said, and when it ends

@pytest.mark.parametrize("call", ["open STATE/state.db", "pwrite64 STATE/state.db-shm", "pwrite64 STATE/state.db-wal",
                                  "mkdtemp MAPS/.build-*", "write MAPS/.build-*/directory"])
def test_a_full_disk_is_named_as_such(first_sync, call):
    first_sync.restore()
    first_sync.faults.full(first_sync.names.index(call) + 1)
    assert first_sync.run() == CANNOT_WRITE
    assert re.search("No space left|disk is full", first_sync.said.read_text()), first_sync.said.read_text()


class WhenAsked(dict):
    """Replies of a server on which something happens when it is asked."""

    def __init__(self, happens) -> None:
        self.happens = happens

    def get(self, key: str, default=None):
        self.happens()
        return default


def test_watch_once_ends_where_its_answers_cannot_be_kept(watch_once, exchange):
    """The disk is full when the server answers: it says so and ends, instead of trying for ever."""
    watch_once.restore()
    exchange.habits.rcpt_replies = WhenAsked(watch_once.faults.full)
    assert watch_once.run() == CANNOT_WRITE


# --- a watch that lives on

def keys(census, *tables: str) -> set[str]:
    return {line.split()[0] for table in tables for line in census.table(table)}


def journal(census) -> str:
    return census.log.read_text()


def test_a_watch_outlives_a_full_disk(answered, exchange, folder, faults, wall_clock):
    answered.watch(env={**faults.env, **wall_clock.env, "LD_PRELOAD": f"{faults.env['LD_PRELOAD']}:{wall_clock.env['LD_PRELOAD']}"})
    learn(answered, folder, "real2@corp.example")
    before = {name: answered.table(name) for name in ("directory", "learned", "closed")}
    faults.full()
    miss(folder, "real3@corp.example", "made-up5@corp.example")
    answered.wait_for(lambda: re.search("No space left|disk is full", journal(answered)), "the trouble to be told")
    wall_clock.set(HOUR + 120)
    answered.wait_for(lambda: not read_index("lmdb", answered.maps / "unknown"), "the refusals to end without failsafe", 25)
    assert {name: answered.table(name) for name in before} == before
    assert faults.hits > 3
    faults.heal()
    answered.wait_for(lambda: accepts(answered, "real3@corp.example"), "what was missed meanwhile", 20)
    miss(folder, "made-up5@corp.example")  # the other one is an hour old by now: it allows no rejection
    answered.wait_for(lambda: refused(answered) == 1, "a refusal", 20)
    assert answered.stop() == 0


def test_a_watch_that_is_killed_at_any_moment(listed, asked, slapd, exchange, folder):
    """Misses and changes of the directory come all the time."""
    chance = random.Random(SEED)
    print(f"LAB_SEED={SEED}")
    exchange.recipients |= {f"{name}{number}@corp.example" for name in ("real", "new") for number in range(200)}
    del listed.sections["route.corp"]
    listed.set("general", publish_interval="0")
    run(listed, "sync")
    run(listed, "watch", "--once")  # sees the log's beginning
    always = users(*range(PEOPLE))
    exchange.recipients |= set(always)
    learned, made_up = set(), set()
    kills = 0
    with Reader("lmdb", {("learned", "directory"): {key: "OK" for key in always}}, listed.maps) as reader:
        for number in range(18):
            watch = listed.watch(ready=number % 3 > 0)
            slapd.add(f"new{number}", [f"new{number}@corp.example"])
            for rcpt in (f"real{number}@corp.example", f"made-up{number}@corp.example"):
                miss(folder, rcpt)
                (learned if "real" in rcpt else made_up).add(rcpt)
            sync = Process([listed.binary, "--config", listed.conf, "sync", "--full"], folder / "sync.log")
            end = time.monotonic() + chance.uniform(0, 0.35)
            wait_for(lambda: time.monotonic() >= end, "the moment")
            kills += watch.alive
            kill_all(watch)
            kill_all(sync)
            run(listed, "failsafe")
    assert reader.rounds > 50 and not reader.wrong, reader.wrong
    assert kills > 12
    run(listed, "sync", "--full")
    listed.watch()
    accepted = always | learned | {f"new{number}@corp.example" for number in range(18)}

    def missing() -> list[str]:
        return sorted(accepted ^ keys(listed, "directory", "learned") | made_up ^ keys(listed, "unknown"))
    wait_for(lambda: not missing(), "the same as without a kill", 20, lambda: str(missing()))
    assert listed.stop() == 0
