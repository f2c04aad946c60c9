"""Tables that are never wrong for long: touched by others, a state that is lost, restored or another's, clocks, operators."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing

import pytest

from gateway import STRANGER
from process import command, wait_for
from slapd import PEOPLE
from test_asking import miss_line

HOUR = 3600


@pytest.fixture
def census(postcensus, gateway, slapd, exchange):
    """Anna and Ben are in the directory; Exchange knows them, and made.later and boss+news besides."""
    slapd.load([("anna", ["anna@corp.example"]), ("ben", ["ben@corp.example"])])
    slapd.start()
    exchange.recipients = {"anna@corp.example", "ben@corp.example", "later@corp.example"}
    postcensus.configure({**gateway.sections(),
                          "directory.corp": slapd.section(postcensus.secret("corp.password", slapd.password)),
                          "route.exchange": {"domains": "corp.example", "callout": "127.0.0.1:2525"}})
    assert postcensus.run("sync").returncode == 0
    return postcensus


def answer(gateway, rcpt: str) -> str:
    return gateway.dialogue(rcpt, client_ip=STRANGER).code


def becomes(gateway, rcpt: str, expected: str, seconds: float = 5) -> None:
    wait_for(lambda: answer(gateway, rcpt) == expected, f"{rcpt}: {expected}", seconds)


def rows(census, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(f"file:{census.state}?mode=ro", uri=True)) as state:
        return state.execute(sql).fetchall()


def learn_and_refuse(gateway) -> None:
    assert answer(gateway, "later@corp.example") == "450 4.1.1"
    becomes(gateway, "later@corp.example", "250")
    assert answer(gateway, "made-up@corp.example") == "450 4.1.1"
    becomes(gateway, "made-up@corp.example", "550 5.1.1")


# --- tables that somebody touched ---

def edited(path, kind):
    path.write_text(path.read_text() + "intruder@corp.example OK\n")
    command(["postmap", f"{kind}:{path}"])


def emptied(path, kind):
    path.write_text("")
    command(["postmap", f"{kind}:{path}"])


def without_index(path, kind):
    path.with_name(path.name + {"lmdb": ".lmdb", "cdb": ".cdb"}.get(kind, ".db")).unlink()


def without_both(path, kind):
    without_index(path, kind)
    path.unlink()


def added_in_place(path, kind):
    command(["postmap", "-i", f"{kind}:{path}"], text="intruder@corp.example OK\n")


@pytest.mark.parametrize("touch, table_type", [(edited, "lmdb"), (edited, "hash"), (emptied, "btree"), (without_index, "lmdb"),
                                               (without_both, "cdb"), (added_in_place, "lmdb"), (added_in_place, "hash")])
def test_a_table_that_somebody_touched_is_written_again(census, gateway, touch, table_type):
    census.watch()
    learn_and_refuse(gateway)

    def tables() -> tuple[list[str], list[str]]:
        return sorted(census.table("directory") + census.table("learned")), census.table("unknown")
    before = tables()
    for name in ("directory", "learned", "unknown"):
        touch(census.maps / name, table_type)
    census.wait_for(lambda: census.log.read_text().count("was changed by someone else; writing it again") >= 3, "noticed", 15)
    census.wait_for(lambda: tables() == before, "written again", 15)
    for rcpt, expected in (("anna@corp.example", "250"), ("later@corp.example", "250"), ("made-up@corp.example", "550 5.1.1")):
        becomes(gateway, rcpt, expected)
    assert answer(gateway, "intruder@corp.example") == "450 4.1.1"
    assert census.stop() == 0


def test_a_table_that_cannot_be_read_may_be_newer(census, gateway):
    """So nothing is concluded from it."""
    text = census.maps / "directory"
    shutil.chown(text, "root")
    text.chmod(0o600)
    before = text.read_bytes()
    for words in (["sync"], ["watch"]):
        failed = census.run(*words)
        assert failed.returncode == 73 and f"cannot read the table {text}" in failed.stderr
    assert text.read_bytes() == before and answer(gateway, "anna@corp.example") == "250"
    shutil.chown(text, census.owner)
    assert census.run("sync").returncode == 0


# --- one decider ---

def test_commands_beside_a_watch_of_another_configuration(census, gateway):
    census.watch()
    same = census.run("sync")
    assert same.returncode == 0 and "another configuration" not in same.stderr
    census.conf.write_text(census.conf.read_text() + "accept = wanted@corp.example\n")
    other = census.run("sync")
    assert other.returncode == 0 and "the running `watch` has another configuration than" in other.stderr
    assert answer(gateway, "wanted@corp.example") == "450 4.1.1"
    second = census.run("watch")
    assert second.returncode == 75 and "another process already decides" in second.stderr
    # A state of its own does not make it another publisher of these tables.
    elsewhere = census.folder / "elsewhere"
    elsewhere.mkdir()
    shutil.chown(elsewhere, census.owner)
    census.conf.write_text(census.conf.read_text().replace(str(census.state), str(elsewhere / "state.db")))
    third = census.run("watch")
    assert third.returncode == 75 and "another Postcensus, with another state" in third.stderr
    assert census.stop() == 0


def test_a_watch_that_is_stuck_keeps_a_command_waiting_no_longer_than_it_says(census):
    watch = census.watch()
    watch.freeze()
    late = census.run("forget", "anna@corp.example", seconds=20)
    assert late.returncode == 75 and "has not published this within 10 s" in late.stderr
    watch.thaw()
    assert census.run("forget", "anna@corp.example").returncode == 0
    assert census.stop() == 0


# --- what operators do ---

def test_commands_stand_in_the_history(census, gateway, slapd, exchange):
    census.watch()
    learn_and_refuse(gateway)
    exchange.recipients -= {"later@corp.example"}
    assert census.run("forget", "later@corp.example", env={"SUDO_USER": "alice"}).returncode == 0
    assert answer(gateway, "later@corp.example") == "450 4.1.1"
    history = census.run("explain", "later@corp.example").stdout
    assert "what callouts said of it was forgotten by alice" in history
    assert "accept -> unsure (no-evidence): what callouts said of it was forgotten by alice" in history
    assert "unsure -> accept (proven): callout to 127.0.0.1:2525: 250 2.1.5 Recipient OK" in history
    assert census.stop() == 0
    done = census.run("forget", "--domain", "corp.example")
    assert done.returncode == 0, done.stderr
    census.kill()
    report = census.run("report").stdout
    assert "forget by alice: later@corp.example" in report and "forget by root: --domain corp.example: " in report
    slapd.add("dora", ["dora@corp.example"])
    assert census.run("sync").returncode == 0
    listed = r"unsure -> accept \(listed\): directory corp \((full|changes) read at ldap://127.0.0.1:3890/?\): cn=dora,"
    assert re.search(listed, census.run("explain", "dora@corp.example").stdout)


def test_what_failsafe_did_is_noted_by_the_next_publication(census, gateway):
    census.watch()
    learn_and_refuse(gateway)
    census.kill()
    (census.maps / "unknown").write_text(census.maps.joinpath("unknown").read_text().replace("until: 20", "until: 19"))
    assert "emptied" in census.run("failsafe", "--maps", census.maps).stdout
    assert answer(gateway, "made-up@corp.example") == "450 4.1.1"
    census.watch()
    census.wait_for(lambda: rows(census, "SELECT name, words FROM command") == [("failsafe", "emptied the table unknown")], "its trace")
    done = census.run("report", "--quiet")
    assert (done.returncode, "failsafe had to step in: emptied the table unknown" in done.stdout) == (1, True), done


# --- closed recipients and extensions ---

def test_an_extension_of_a_closed_recipient_is_open(census, gateway, exchange):
    exchange.recipients |= {"list+news@corp.example", "list+inside@corp.example"}
    exchange.closed = {"list@corp.example", "list+inside@corp.example"}
    census.watch()
    for rcpt, expected in (("list+news@corp.example", "250"), ("list@corp.example", "550 5.7.1"),
                           ("list+inside@corp.example", "550 5.7.1")):
        assert answer(gateway, rcpt).startswith("450") or rcpt == "list+inside@corp.example"
        becomes(gateway, rcpt, expected)
    assert answer(gateway, "list+news@corp.example") == "250"
    assert "list+news@corp.example\tDUNNO" in census.table("closed")
    # One that comes later, too.
    exchange.recipients |= {"list+later@corp.example"}
    assert answer(gateway, "list+later@corp.example") == "550 5.7.1"  # Postfix accepts it with list, and list is closed
    exchange.habits.replies = {}
    assert census.run("probe", "--record", "list+later@corp.example").returncode == 0
    becomes(gateway, "list+later@corp.example", "250")
    assert census.stop() == 0


# --- the state ---

def test_yesterdays_state(census, gateway, slapd, exchange):
    census.watch()
    assert answer(gateway, "made-up@corp.example") == "450 4.1.1"
    becomes(gateway, "made-up@corp.example", "550 5.1.1")
    assert census.stop() == 0
    backup = census.folder / "backup.db"
    with closing(sqlite3.connect(census.state)) as state, closing(sqlite3.connect(backup)) as copy:
        state.backup(copy)
    # After the backup one is learned, one comes into the directory, one goes, and who was made up exists now.
    census.watch()
    assert answer(gateway, "later@corp.example") == "450 4.1.1"
    becomes(gateway, "later@corp.example", "250")
    slapd.add("carl", ["carl@corp.example", "made-up@corp.example"])
    slapd.delete(f"cn=ben,{PEOPLE}")
    exchange.recipients |= {"carl@corp.example", "made-up@corp.example"}
    exchange.recipients -= {"ben@corp.example"}
    assert census.run("sync", "--full").returncode == 0
    becomes(gateway, "ben@corp.example", "450 4.1.1")
    becomes(gateway, "made-up@corp.example", "250")
    census.kill()
    for path in census.state.parent.glob("state.db*"):
        path.unlink()
    shutil.copy(backup, census.state)
    shutil.chown(census.state, census.owner)
    census.watch()
    assert "the tables are newer than this state" in census.log.read_text()
    everybody = ("anna@corp.example", "later@corp.example", "carl@corp.example", "made-up@corp.example")
    for rcpt in everybody:
        assert answer(gateway, rcpt) == "250"
    # Nothing is removed before a full reading; that one tells.
    done = census.run("sync")
    assert "full read" in done.stdout
    becomes(gateway, "ben@corp.example", "450 4.1.1")
    for rcpt in everybody:
        assert answer(gateway, rcpt) == "250"
    assert census.stop() == 0


def test_a_state_of_another_machine(census, gateway, exchange, folder):
    """Its rejections were proved elsewhere; what it does not know stays."""
    census.watch()
    learn_and_refuse(gateway)
    assert census.stop() == 0
    foreign = census.folder / "foreign.db"
    shutil.copy(census.state, foreign)
    with closing(sqlite3.connect(foreign)) as state, state:
        state.execute("UPDATE meta SET value = 'feedfeedfeedfeedfeedfeedfeedfeed' WHERE key = 'state_id'")
        assert state.execute("SELECT changes()").fetchone() == (1,)
        state.execute("DELETE FROM callout WHERE address_id = (SELECT id FROM address WHERE local = 'later')")
        state.execute("UPDATE address SET answer = 'unsure', accepted_seq = NULL WHERE local = 'later'")
        state.execute("UPDATE address SET answer = 'reject', until = (SELECT max(until) FROM address) WHERE local = 'ben'")
    shutil.copy(foreign, census.state)
    for name in ("state.db-wal", "state.db-shm"):
        census.state.with_name(name).unlink(missing_ok=True)
    census.watch()
    for rcpt in ("anna@corp.example", "ben@corp.example", "later@corp.example"):
        assert answer(gateway, rcpt) == "250"
    assert census.table("unknown") == []
    becomes(gateway, "made-up@corp.example", "550 5.1.1")  # asked again
    assert census.stop() == 0


def test_a_typo_in_domains_beside_a_lost_state_passes_the_gate_like_any_other(census, gateway):
    for path in census.state.parent.iterdir():
        path.unlink()
    census.set("route.exchange", domains="copr.example")
    done = census.run("sync")
    assert done.returncode == 1 and "2 removals wait for an operator" in done.stderr
    for rcpt in ("anna@corp.example", "ben@corp.example"):
        assert answer(gateway, rcpt) == "250"
    census.set("route.exchange", domains="corp.example")
    assert census.run("sync").returncode == 0
    assert rows(census, "SELECT count(*) FROM hold") == [(0,)]


def test_a_newer_state_is_left_alone(census, gateway):
    with closing(sqlite3.connect(census.state)) as state, state:
        (version,) = state.execute("PRAGMA user_version").fetchone()
        state.execute(f"PRAGMA user_version = {version + 1}")
    tables = {path.name: path.read_bytes() for path in census.maps.iterdir()}
    for words in (["watch"], ["sync"], ["report"], ["forget", "anna@corp.example"]):
        done = census.run(*words)
        assert done.returncode == 75 and "newer" in done.stderr, done.stderr
    assert {path.name: path.read_bytes() for path in census.maps.iterdir()} == tables
    assert census.run("failsafe").returncode == 0
    assert answer(gateway, "anna@corp.example") == "250"


# --- clocks ---

def test_a_clock_that_goes_back_ends_the_rejections(census, gateway, wall_clock):
    wall_clock.set(26 * HOUR)
    census.watch(env=wall_clock.env)
    assert answer(gateway, "later@corp.example") == "450 4.1.1"
    becomes(gateway, "later@corp.example", "250")
    # Postfix's own clock is right; a line of then would be as old as that.
    with gateway.log.open("a") as log:
        log.write(miss_line("made-up@corp.example"))
    becomes(gateway, "made-up@corp.example", "550 5.1.1")
    wall_clock.set(0)
    answer(gateway, "someone@corp.example")  # something to look at; by itself it looks once a minute
    becomes(gateway, "made-up@corp.example", "450 4.1.1")
    assert answer(gateway, "later@corp.example") == "250"
    assert answer(gateway, "anna@corp.example") == "250"
    assert census.stop() == 0


def test_a_clock_that_goes_forward_ends_a_lease_and_no_acceptance(census, gateway, wall_clock):
    census.watch(env=wall_clock.env)
    learn_and_refuse(gateway)
    wall_clock.set(1000 * HOUR)
    answer(gateway, "someone@corp.example")
    becomes(gateway, "made-up@corp.example", "450 4.1.1")
    for rcpt in ("anna@corp.example", "later@corp.example"):
        assert answer(gateway, rcpt) == "250"
    assert census.stop() == 0
