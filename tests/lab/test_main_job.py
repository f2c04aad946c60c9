"""The main job, end to end: Active Directory, Postfix and an Exchange that we did not write."""

from __future__ import annotations

import shutil

import pytest

from gateway import STRANGER, TRUSTED
from process import wait_for
from samba_ad import STAFF


def answer(gateway, rcpt: str, client_ip: str = STRANGER) -> str:
    return gateway.dialogue(rcpt, client_ip=client_ip).code


def wait_for_answer(gateway, rcpt: str, expected: str, seconds: float) -> None:
    wait_for(lambda: answer(gateway, rcpt) == expected, f"{rcpt}: {expected}", seconds)


@pytest.mark.parametrize("table_type", ["lmdb", "hash", "btree", "cdb"])
def test_sync_publishes_what_the_directory_lists(census, gateway, sink):
    done = census.run("sync")
    assert done.returncode == 0, done.stderr
    assert "3 added, 0 removed; 3 listed; published in" in done.stdout
    for rcpt in ("anna@corp.example", "ANNA.Smith@corp.example", "ben@corp.example"):
        assert answer(gateway, rcpt) == "250"
    assert answer(gateway, "nobody@corp.example") == "450 4.1.1"
    assert answer(gateway, "someone@elsewhere.example", TRUSTED) == "250"
    assert answer(gateway, "someone@elsewhere.example") == "454 4.7.1"  # defer_unauth_destination
    for name in ("directory", "learned", "unknown", "closed", "unknown.empty", "closed.empty"):
        assert (census.maps / name).stat().st_mode & 0o777 == 0o644


def test_a_missed_mailbox_is_learned_and_a_made_up_one_refused(census, gateway, exchange):
    assert census.run("sync").returncode == 0
    census.watch()
    exchange.recipients |= {"new@corp.example"}
    assert answer(gateway, "new@corp.example") == "450 4.1.1"
    wait_for_answer(gateway, "new@corp.example", "250", 2)
    assert answer(gateway, "made-up@corp.example") == "450 4.1.1"
    wait_for_answer(gateway, "made-up@corp.example", "550 5.1.1", 2)
    assert answer(gateway, "anna@corp.example") == "250"

    # Asked kindly: both in one session, each between controls, and never with DATA.
    [asked] = [[c.argument[4:-1] for c in session if c.verb == "RCPT"] for session in exchange.by_session().values()]
    assert asked[2:5:2] == ["new@corp.example", "made-up@corp.example"]
    random, good, random_behind, good_behind = asked[0], asked[1], asked[3], asked[5]
    assert len(asked) == 6 and random != random_behind
    assert {good, good_behind} <= exchange.recipients and not {random, random_behind} & exchange.recipients
    assert not exchange.said("DATA") and not exchange.said("AUTH")

    learned = census.run("explain", "new@corp.example").stdout
    assert "new@corp.example: accept" in learned and "a callout proved it deliverable" in learned
    refused = census.run("explain", "made-up@corp.example").stdout
    assert "made-up@corp.example: reject" in refused and "RecipientNotFound" in refused
    report = census.run("report").stdout
    assert "new@corp.example: unsure -> accept (proven" in report
    assert "made-up@corp.example: unsure -> reject (proven-unknown" in report
    assert census.stop() == 0


def test_a_rejection_is_a_lease(census, gateway):
    census.set("route.exchange", unknown_expire="3s")
    assert census.run("sync").returncode == 0
    census.watch()
    assert answer(gateway, "made-up@corp.example") == "450 4.1.1"
    wait_for_answer(gateway, "made-up@corp.example", "550 5.1.1", 2)
    wait_for_answer(gateway, "made-up@corp.example", "450 4.1.1", 6)  # and the next miss asks anew
    wait_for_answer(gateway, "made-up@corp.example", "550 5.1.1", 3)


def test_failsafe_ends_the_rejections_of_a_dead_watch(census, gateway):
    census.set("route.exchange", unknown_expire="3s")
    assert census.run("sync").returncode == 0
    census.watch()
    answer(gateway, "made-up@corp.example")
    wait_for_answer(gateway, "made-up@corp.example", "550 5.1.1", 2)
    census.kill()
    first = census.run("failsafe", "--maps", census.maps)
    assert first.returncode == 0 and answer(gateway, "made-up@corp.example") == "550 5.1.1"

    census.conf.write_text("[nonsense\n")
    for path in census.state.parent.iterdir():
        path.unlink()
    wait_for(lambda: "emptied" in census.run("failsafe", "--maps", census.maps).stdout, "the lease to end", 6)
    assert answer(gateway, "made-up@corp.example") == "450 4.1.1"
    assert answer(gateway, "anna@corp.example") == "250"
    assert census.run("failsafe", "--maps", census.maps).stdout == ""


def test_watch_goes_on_where_it_was(census, gateway, exchange):
    assert census.run("sync").returncode == 0
    watch = census.watch()
    assert census.stop() == 0
    assert "READY=1" in watch.messages and "STOPPING=1" in watch.messages and watch.statuses
    exchange.recipients |= {"while.away@corp.example"}
    assert answer(gateway, "while.away@corp.example") == "450 4.1.1"
    gateway.wait_logged("while.away@corp.example", 1)
    census.watch()
    wait_for_answer(gateway, "while.away@corp.example", "250", 3)
    assert len(exchange.asked("while.away@corp.example")) == 1


def test_watch_once_does_all_that_is_there(census, gateway, exchange):
    assert census.run("sync").returncode == 0
    assert census.run("watch", "--once").returncode == 0
    exchange.recipients |= {"new@corp.example"}
    assert answer(gateway, "new@corp.example") == "450 4.1.1"
    gateway.wait_logged("new@corp.example", 1)
    assert census.run("watch", "--once").returncode == 0
    assert answer(gateway, "new@corp.example") == "250"
    assert "new@corp.example\tOK" in census.table("directory")  # nobody stays to build the base later
    assert census.table("learned") == []


def test_closed_recipients_are_closed_to_strangers_only(census, gateway, samba, exchange):
    samba.add_mailbox("team", "team@corp.example", closed=True)
    exchange.recipients |= {"team@corp.example"}
    exchange.closed = {"board@corp.example"}
    assert census.run("sync").returncode == 0
    census.watch()
    assert answer(gateway, "team@corp.example") == "550 5.7.1"
    assert answer(gateway, "team@corp.example", TRUSTED) == "250"
    assert answer(gateway, "board@corp.example") == "450 4.1.1"
    wait_for_answer(gateway, "board@corp.example", "550 5.7.1", 2)
    assert answer(gateway, "board@corp.example", TRUSTED) == "250"


def test_sync_beside_a_watch_is_published_by_it(census, gateway, samba):
    census.set("directory.corp", poll_interval="0")  # here only sync reads the directory
    assert census.run("sync").returncode == 0
    census.watch()
    samba.add_mailbox("carl", "carl@corp.example")
    dry = census.run("sync", "--dry-run")
    assert dry.stdout == "+ carl@corp.example\n"
    done = census.run("sync")
    assert done.returncode == 0 and "1 added, 0 removed; 4 listed; published in" in done.stdout, done.stderr
    assert answer(gateway, "carl@corp.example") == "250"
    second = census.run("watch")
    assert second.returncode == 75 and "another process already decides" in second.stderr


def test_an_outage_takes_nothing_away(census, gateway, exchange, samba):
    """Neither the directory nor Exchange answers, and every control fails: "don't know" never becomes "no"."""
    assert census.run("sync").returncode == 0
    census.watch()
    exchange.habits.replies = {"MAIL": "530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM"}
    assert answer(gateway, "made-up@corp.example") == "450 4.1.1"
    census.wait_for(lambda: "callouts to 127.0.0.1:2525 stopped" in census.log.read_text(), "the fault to be seen", 5)
    assert census.table("unknown") == []
    exchange.habits.replies = {}
    exchange.habits.accept_all = True
    assert answer(gateway, "anna@corp.example") == "250"
    samba.stop()
    try:
        failed = census.run("sync")
        assert failed.returncode == 69 and "nothing was applied" in failed.stderr
    finally:
        samba.start()
    for rcpt in ("anna@corp.example", "ben@corp.example"):
        assert answer(gateway, rcpt) == "250"
    assert census.table("unknown") == []


def test_a_mass_removal_waits_for_approval(census, gateway, samba, exchange):
    samba.allow_tombstones()
    samba.add_mailbox("carl", "carl@corp.example")
    assert census.run("sync").returncode == 0
    for name in ("anna", "ben", "carl"):
        samba.delete(f"CN={name},{STAFF}")
    samba.add_mailbox("dora", "dora@corp.example")
    held = census.run("sync")
    assert held.returncode == 1 and "postcensus approve" in held.stderr
    for rcpt in ("anna@corp.example", "ben@corp.example", "dora@corp.example"):
        assert answer(gateway, rcpt) == "250"
    report = census.run("report").stdout
    assert "Held: 4 removals" in report and "1 added, 4 removed (4 held)" in report
    approved = census.run("approve")
    assert approved.returncode == 0, approved.stderr
    assert approved.stdout.splitlines() == [f"- {name}@corp.example" for name in ("anna.smith", "anna", "ben", "carl")]
    assert answer(gateway, "ben@corp.example") == "450 4.1.1" and answer(gateway, "dora@corp.example") == "250"


def test_a_lost_state_takes_nobody_away(census, gateway, samba, exchange):
    assert census.run("sync").returncode == 0
    census.watch()
    exchange.recipients |= {"new@corp.example"}
    answer(gateway, "new@corp.example")
    wait_for_answer(gateway, "new@corp.example", "250", 2)
    answer(gateway, "made-up@corp.example")
    wait_for_answer(gateway, "made-up@corp.example", "550 5.1.1", 2)
    census.kill()
    for path in census.state.parent.iterdir():
        path.unlink()
    census.watch()
    for rcpt in ("anna@corp.example", "ben@corp.example", "new@corp.example"):
        assert answer(gateway, rcpt) == "250"
    assert answer(gateway, "made-up@corp.example") != "250"
    assert census.run("sync").returncode == 0
    for rcpt in ("anna@corp.example", "ben@corp.example", "new@corp.example"):
        assert answer(gateway, rcpt) == "250"


def test_a_reload_takes_the_new_configuration_whole_or_not_at_all(census, gateway, exchange):
    assert census.run("sync").returncode == 0
    shutil.chown(census.folder / "corp.password", census.owner)  # read again without root's rights
    watch = census.watch()
    good = census.conf.read_text()
    census.conf.write_text("[nonsense\n")
    watch.reload()
    assert "the new configuration is not used, the old one stays" in census.log.read_text()
    census.conf.write_text(good.replace("[general]", "[general]\ntable-type = cdb").replace("table-type = lmdb\n", "")
                           .replace(str(gateway.etc), "/nonexistent"))
    watch.reload()  # reads well, but nothing can be published by it
    assert "postconf cannot read the configuration in /nonexistent" in census.log.read_text()
    census.conf.write_text(good + "accept = wanted@corp.example\n")
    watch.reload()
    wait_for_answer(gateway, "wanted@corp.example", "250", 3)
    exchange.recipients |= {"new@corp.example"}
    answer(gateway, "new@corp.example")
    wait_for_answer(gateway, "new@corp.example", "250", 3)
    assert census.stop() == 0
