"""A newer program on the state of an older one, and the way back. postcensus_next is this program with one migration more."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from disk import Disk
from faults import Faults
from gateway import STRANGER, Gateway
from postcensus import ROOT, Postcensus, binary
from process import LabError, Process, wait_for

OLD = len(list((ROOT / "sql" / "migrations").glob("*.sql")))
NEXT = OLD + 1
COPY = f"state.db.v{OLD}"
SEED = os.environ.get("LAB_SEED", "1")
EVERY_STEP = os.environ.get("LAB_EVERY_STEP") == "1"
PEOPLE = [f"user{number}@corp.example" for number in range(40)]


def use(census: Postcensus, name: str) -> None:
    census.binary = binary().with_name(name)
    if not census.binary.exists():
        raise LabError(f"{census.binary} does not exist: `make build` makes it")


def rows(path: Path, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as state:
        return state.execute(sql).fetchall()


def version(path: Path) -> int:
    return rows(path, "PRAGMA user_version")[0][0]


def copy_of(census: Postcensus) -> Path:
    return census.state.with_name(COPY)


def answers(path: Path) -> list[tuple]:
    return rows(path, "SELECT address, answer, reason, until, accepted_seq FROM address ORDER BY 1")


# --- with Postfix ---

@pytest.fixture
def census(postcensus, gateway, slapd, exchange):
    """Anna and Ben are in the directory; Exchange knows them, and later and newest besides."""
    slapd.load([("anna", ["anna@corp.example"]), ("ben", ["ben@corp.example"])])
    slapd.start()
    exchange.recipients = {f"{name}@corp.example" for name in ("anna", "ben", "later", "newest")}
    postcensus.configure({**gateway.sections(),
                          "directory.corp": slapd.section(postcensus.secret("corp.password", slapd.password)),
                          "route.exchange": {"domains": "corp.example", "callout": "127.0.0.1:2525"}})
    assert postcensus.run("sync").returncode == 0
    return postcensus


def answer(gateway, rcpt: str) -> str:
    return gateway.dialogue(rcpt, client_ip=STRANGER).code


def asked(gateway, rcpt: str, expected: str) -> None:
    assert answer(gateway, rcpt) == "450 4.1.1"
    wait_for(lambda: answer(gateway, rcpt) == expected, f"{rcpt}: {expected}", 5)


def tables(census: Postcensus) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in census.maps.iterdir()
            if path.is_file() and path.name != ".publisher"}


def test_an_upgrade_and_the_way_back(census, gateway):
    census.watch()
    asked(gateway, "later@corp.example", "250")
    asked(gateway, "made-up@corp.example", "550 5.1.1")
    assert census.stop() == 0
    before, out, changes = answers(census.state), tables(census), rows(census.state, "SELECT count(*) FROM event")

    use(census, "postcensus_next")
    watch = census.watch()
    assert version(census.state) == NEXT and version(copy_of(census)) == OLD
    ready = watch.messages.index("READY=1")
    assert any(message.startswith("EXTEND_TIMEOUT_USEC=") for message in watch.messages[:ready])
    assert any(status.startswith(f"bringing the state to schema {NEXT}: copying it to") for status in watch.statuses)
    said = watch.output()
    assert f"bringing the state {census.state} from schema {OLD} to {NEXT}" in said
    assert f"is at schema {NEXT} now, in " in said and f"as it was before, it is in {copy_of(census)}" in said
    state, copy = census.state.stat(), copy_of(census).stat()
    assert (copy.st_mode, copy.st_uid, copy.st_gid) == (state.st_mode, state.st_uid, state.st_gid)
    # Nothing was decided or published anew.
    for rcpt, code in (("anna@corp.example", "250"), ("later@corp.example", "250"), ("made-up@corp.example", "550 5.1.1")):
        assert answer(gateway, rcpt) == code
    assert answers(census.state) == answers(copy_of(census)) == before
    assert rows(census.state, "SELECT count(*) FROM event") == changes and tables(census) == out
    asked(gateway, "newest@corp.example", "250")
    asked(gateway, "also.made-up@corp.example", "550 5.1.1")
    assert census.stop() == 0

    use(census, "postcensus")
    out = tables(census)
    for words in (["watch"], ["sync"], ["report"]):
        refused = census.run(*words)
        assert refused.returncode == 75 and f"restore {copy_of(census)}, which is of 20" in refused.stderr
    assert tables(census) == out and version(census.state) == NEXT

    # As docs/operations.md says.
    for name in ("state.db-wal", "state.db-shm"):
        census.state.with_name(name).unlink(missing_ok=True)
    shutil.copy(copy_of(census), census.state)
    shutil.chown(census.state, census.owner)
    census.watch()
    assert "the tables are newer than this state" in census.log.read_text()
    everybody = ("anna@corp.example", "ben@corp.example", "later@corp.example", "newest@corp.example")
    for rcpt in everybody:
        assert answer(gateway, rcpt) == "250"
    # What only the newer state could withdraw is gone, and is asked anew.
    asked(gateway, "also.made-up@corp.example", "550 5.1.1")
    assert answer(gateway, "made-up@corp.example") == "550 5.1.1"
    done = census.run("sync")
    assert done.returncode == 0 and "full read" in done.stdout
    for rcpt in everybody:
        assert answer(gateway, rcpt) == "250"
    assert census.stop() == 0

    use(census, "postcensus_next")
    census.watch()
    assert version(census.state) == NEXT and ("newest@corp.example",) in rows(copy_of(census), "SELECT address FROM address")
    assert census.stop() == 0


def test_an_old_watch_ends_once_the_state_is_newer(census, gateway):
    old = census.watch()
    asked(gateway, "later@corp.example", "250")
    asked(gateway, "made-up@corp.example", "550 5.1.1")
    wait_for(lambda: rows(census.state, "SELECT count(*) FROM undecided") == [(0,)], "all decided")
    out = tables(census)
    use(census, "postcensus_next")
    second = census.run("watch")
    assert second.returncode == 75 and "another process already decides" in second.stderr
    assert version(census.state) == NEXT
    before = answers(census.state)
    # Without a sign from outside it finds that out by itself; a miss makes it look at once.
    assert answer(gateway, "newest@corp.example") == "450 4.1.1"
    assert old.wait(20) == 75
    assert f"was made by a newer Postcensus (schema {NEXT}, this one knows {OLD})" in old.output()
    assert tables(census) == out and answers(census.state) == before
    # The new one goes on in the log where the old one stopped.
    census.watch()
    wait_for(lambda: answer(gateway, "newest@corp.example") == "250", "accepted")
    for rcpt, code in (("anna@corp.example", "250"), ("later@corp.example", "250"), ("made-up@corp.example", "550 5.1.1")):
        assert answer(gateway, rcpt) == code
    assert census.stop() == 0


def test_an_old_watch_that_has_nothing_to_do_ends_too(census):
    old = census.watch()
    use(census, "postcensus_next")
    assert census.run("watch").returncode == 75 and version(census.state) == NEXT
    assert old.wait(30) == 75


def test_an_old_watch_that_is_reloaded_ends_at_once(census):
    old = census.watch()
    old.freeze()
    use(census, "postcensus_next")
    assert census.run("watch").returncode == 75 and version(census.state) == NEXT
    old.signal(1)
    old.thaw()
    assert old.wait(5) == 75


def test_a_command_of_the_new_program_beside_an_old_watch(census, gateway):
    """Its evidence is stored; who decides is the next `watch`."""
    old = census.watch()
    use(census, "postcensus_next")
    done = census.run("forget", "anna@corp.example")
    assert done.returncode in (0, 75), done.stderr
    assert old.wait(20) == 75
    census.watch()
    assert answer(gateway, "anna@corp.example") == "250"
    assert census.stop() == 0


# --- broken off ---

@pytest.fixture
def quiet(postcensus, folder, maps, table_type) -> Postcensus:
    """Forty recipients by configuration, and nobody to ask."""
    gateway = Gateway(folder / "gateway", folder / "by-hand", table_type)
    postcensus.configure({**gateway.sections(), "general": {**gateway.sections()["general"], "maps": maps},
                          "log": {"source": "file", "path": folder / "misses.log"},
                          "route.corp": {"domains": "corp.example", "callout": "none", "accept": " ".join(PEOPLE)}})
    (folder / "misses.log").touch()
    done = postcensus.run("watch", "--once")
    assert done.returncode == 0, done.stderr
    return postcensus


def check_whole(path: Path) -> None:
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert [row[0] for row in answers(path) if row[1] == "accept"] == sorted(PEOPLE)
    notices = rows(path, "SELECT name FROM sqlite_master WHERE name = 'notice'")
    assert len(notices) == (version(path) == NEXT)
    if notices:
        assert rows(path, "SELECT count(*) FROM notice WHERE text IN (SELECT address FROM address)") == [(len(PEOPLE),)]


@pytest.mark.parametrize("fault", ["kill", "full", "read_only"])
def test_an_upgrade_that_is_broken_off_at_any_step(quiet, folder, fault):
    faults = Faults(folder / "faults", quiet.state.parent)
    use(quiet, "postcensus_next")
    kept = {path.name: (path.stat(), path.read_bytes()) for path in quiet.state.parent.iterdir()}

    def restore() -> None:
        for path in quiet.state.parent.iterdir():
            path.unlink()
        for name, (facts, content) in kept.items():
            path = quiet.state.parent / name
            path.write_bytes(content)
            path.chmod(facts.st_mode & 0o777)
            os.chown(path, facts.st_uid, facts.st_gid)

    def run() -> int:
        process = Process([quiet.binary, "--config", quiet.conf, "watch", "--once"], folder / "said", faults.env)
        try:
            return process.wait(20)
        finally:
            process.kill_group()

    faults.count()
    assert run() == 0
    names = faults.names()
    # What comes after is test_crash.py's.
    last = max(number for number, name in enumerate(names, 1) if COPY in name) + 40
    steps = list(range(1, min(last, len(names)) + 1))
    if not EVERY_STEP:
        named = [step for step in steps if COPY in names[step - 1] and "write" not in names[step - 1]]
        steps = sorted({*named, *random.Random(f"{SEED} {fault}").sample(steps, 12)})
    codes: dict[int, int] = {}
    for step in steps:
        restore()
        getattr(faults, fault)(step)
        code = run()
        codes[code] = codes.get(code, 0) + 1
        where = f"{fault} at {step} of {len(names)}, {names[step - 1]}: exit {code}"
        assert code in ((-9,) if fault == "kill" else (0, 73)), where
        faults.count()
        found = {path.name for path in quiet.state.parent.iterdir()}
        try:
            check_whole(quiet.state)
            if copy_of(quiet).name in found:
                assert version(copy_of(quiet)) == OLD
                check_whole(copy_of(quiet))
            assert run() == 0
            assert version(quiet.state) == NEXT
            check_whole(quiet.state)
            if code != 0:
                check_whole(copy_of(quiet))
            assert not list(quiet.state.parent.glob("*.part*"))
        except AssertionError as error:
            raise AssertionError(f"{where}: {found}\n{(folder / 'said').read_text()}") from error
    assert len(codes) >= 1 and (fault == "kill" or codes.get(73, 0) > 0)


def test_no_room_for_a_copy(postcensus, quiet, folder):
    disk = Disk(folder / "disk")
    try:
        place = disk.folder / "state"
        place.mkdir()
        shutil.chown(place, quiet.owner)
        shutil.copy(quiet.state, place)
        shutil.chown(place / "state.db", quiet.owner)
        quiet.state = place / "state.db"
        quiet.set("general", state=quiet.state)
        use(quiet, "postcensus_next")
        done = quiet.run("watch", "--once")
        assert done.returncode == 0 and "there is no room for a copy of the state" in done.stderr, done.stderr
        assert version(quiet.state) == NEXT and not copy_of(quiet).exists()
        check_whole(quiet.state)
        use(quiet, "postcensus")
        back = quiet.run("report")
        assert back.returncode == 75 and "restore a copy from before the upgrade" in back.stderr
    finally:
        disk.unmount()
