"""What an administrator gets wrong, and what breaks: a clear error with the remedy, the right exit code, and the old tables."""

from __future__ import annotations

import shutil
import sqlite3

import pytest

from samba_ad import SERVICES, STAFF

ROUTE = {"domains": "corp.example", "callout": "127.0.0.1:2525"}


@pytest.fixture
def census(postcensus, gateway, samba):
    samba.add_mailbox("anna", "anna@corp.example")
    samba.add_mailbox("ben", "ben@corp.example")
    postcensus.configure({**gateway.sections(),
                          "directory.corp": samba.section(postcensus.secret("corp.password", samba.password)),
                          "route.exchange": ROUTE})
    return postcensus


@pytest.fixture
def published(census):
    assert census.run("sync").returncode == 0
    def tables() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in census.maps.iterdir() if path.name != ".publisher"}
    before = tables()
    yield census
    assert tables() == before, "the old tables are untouched"


@pytest.mark.parametrize("text, words", [
    ("[general]\nstat = /x\n", [":2: [general] stat", "no such key"]),
    ("[general]\npublish-interval = soon\n", [":2: [general] publish-interval", "30s"]),
    ("[route.a]\ncallout = none\n", [":1: [route.a] domains", "must be written"]),
    ("[nonsense]\n", [":1: [nonsense]", "no such section"]),
    ("path = /x\n", [":1:", "before the first [section]"]),
])
def test_a_wrong_configuration_is_named_by_line_and_key(census, text, words):
    census.conf.write_text(text)
    for command in (["sync"], ["watch", "--once"], ["report"], ["explain", "a@corp.example"], ["check"]):
        done = census.run(*command)
        assert done.returncode == 78 and all(word in done.stderr for word in [str(census.conf), *words]), done.stderr


def test_a_missing_configuration(census):
    census.conf.unlink()
    done = census.run("sync")
    assert done.returncode == 78 and "--config" in done.stderr


def test_an_unreachable_directory(published, samba):
    published.set("directory.corp", uri="ldaps://dc1.corp.example:6360")
    done = published.run("sync")
    assert done.returncode == 69 and "dc1.corp.example:6360" in done.stderr and "is it up" in done.stderr


def test_a_directory_that_hangs_in_the_handshake(published, samba):
    samba.freeze()
    try:
        done = published.run("sync", seconds=60)
    finally:
        samba.thaw()
    assert done.returncode == 69 and "did not answer in time" in done.stderr


def test_a_wrong_password_is_not_tried_again(published, samba):
    right = published.folder / "corp.password"
    published.set("directory.corp", password_file=published.secret("wrong.password", "Not-The-Password-1"))
    done = published.run("sync")
    assert done.returncode == 69 and "wrong password: check password-file" in done.stderr
    again = published.run("sync")
    assert again.returncode == 69 and "not tried again" in again.stderr
    assert "Not-The-Password-1" not in done.stderr + again.stderr
    published.set("directory.corp", password_file=right)
    assert published.run("sync").returncode == 0


def test_a_certificate_that_is_not_trusted(published, authority):
    published.set("directory.corp", ca_file=authority.ca_file)
    done = published.run("sync")
    assert done.returncode == 69 and "certificate" in done.stderr and "ca-file" in done.stderr


def test_a_lost_read_permission_is_not_an_empty_directory(published, samba):
    samba.deny(STAFF)
    try:
        done = published.run("sync", "--full")
        assert done.returncode == 1 and "lost the right to read" in done.stderr
    finally:
        samba.allow(STAFF)


def test_a_maps_folder_that_cannot_be_written(census):
    census.maps.chmod(0o555)
    shutil.chown(census.maps, "root")
    before = sorted(census.maps.iterdir())
    done = census.run("sync")
    assert done.returncode == 73 and "[general] maps" in done.stderr
    assert sorted(census.maps.iterdir()) == before


def test_states_that_are_none_of_ours(published):
    state = published.state
    text = state.read_bytes()
    newer = sqlite3.connect(state)
    newer.execute("PRAGMA user_version = 999")
    newer.commit()
    newer.close()
    done = published.run("sync")
    assert done.returncode == 75 and "newer" in done.stderr
    for extra in state.parent.glob("state.db-*"):
        extra.unlink()
    state.write_bytes(b"this is no database at all" * 100)
    done = published.run("sync")
    assert done.returncode == 78 and "not a database" in done.stderr
    state.write_bytes(text)


def test_a_state_that_another_process_locks(published):
    holder = sqlite3.connect(published.state, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        done = published.run("sync")
        assert done.returncode == 75 and "locked by another process" in done.stderr
    finally:
        holder.execute("ROLLBACK")
        holder.close()


def test_a_log_that_is_not_there_yet(published, gateway):
    log = published.folder / "later.log"
    published.set("log", source="file", path=log)
    watch = published.watch()
    published.wait_for(lambda: any("waiting for the log" in s for s in watch.statuses), "the status")
    assert "is not there yet" in published.log.read_text()
    assert published.stop() == 0


def test_names_that_are_none(census):
    assert census.run("nonsense").returncode == 64
    assert census.run("sync", "nowhere").returncode == 64


def test_a_renamed_directory_takes_nobody_away_until_it_was_read(published):
    """The listings of the old name end only once all that is configured was read."""
    section = published.sections.pop("directory.corp")
    published.configure({**published.sections, "directory.hq": {**section, "uri": "ldaps://dc1.corp.example:6360"}})
    assert published.run("sync").returncode == 69
    assert published.run("watch", "--once").returncode == 0
    report = published.run("report").stdout
    assert "Held" not in report and "-> unsure" not in report
    published.set("directory.hq", uri=section["uri"])
    done = published.run("sync")
    assert done.returncode == 0, done.stderr
    assert "-> unsure" not in published.run("report").stdout


def test_a_lost_state_and_one_of_two_directories_away(census, samba):
    """What stood in the tables stays until every directory was read, also where no callout can ask."""
    samba.add_mailbox("zoe", "zoe@corp.example", ou=SERVICES)
    corp = census.sections.pop("directory.corp")
    staff, services = {**corp, "base": STAFF}, {**corp, "base": SERVICES}
    census.configure({**census.sections, "directory.staff": staff, "directory.services": services,
                      "route.exchange": {"domains": "corp.example", "callout": "none"}})
    assert census.run("sync").returncode == 0
    for path in census.state.parent.iterdir():
        path.unlink()
    census.set("directory.services", uri="ldaps://dc1.corp.example:6360")
    for _ in range(2):
        assert census.run("sync").returncode == 69
        assert "zoe@corp.example\tOK" in census.table("directory")
    census.set("directory.services", uri=corp["uri"])
    samba.delete(f"CN=zoe,{SERVICES}")
    samba.add_mailbox("yan", "yan@corp.example", ou=SERVICES)
    done = census.run("sync")
    assert done.returncode == 0, done.stderr
    assert "zoe@corp.example\tOK" not in census.table("directory") and "yan@corp.example\tOK" in census.table("directory")
