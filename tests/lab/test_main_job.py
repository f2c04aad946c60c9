"""The main job, end to end: Active Directory, Postfix and an Exchange that we did not write."""

from __future__ import annotations

import pytest

from gateway import STRANGER, TRUSTED
from process import wait_for

ROUTE = {"domains": "corp.example", "callout": "127.0.0.1:2525"}


@pytest.fixture
def census(postcensus, gateway, samba, exchange):
    """Anna (two addresses) and Ben are in the directory, and known to Exchange."""
    samba.add_mailbox("anna", "anna@corp.example", ["anna.smith@corp.example"])
    samba.add_mailbox("ben", "ben@corp.example")
    exchange.recipients = {"anna@corp.example", "anna.smith@corp.example", "ben@corp.example"}
    postcensus.configure({**gateway.sections(),
                          "directory.corp": samba.section(postcensus.secret("corp.password", samba.password)),
                          "route.exchange": ROUTE})
    return postcensus


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

    # Asked kindly: in one session with a random control and a known-good one, and never with DATA.
    [asked] = [rcpts for rcpts in ([c.argument for c in session if c.verb == "RCPT"] for session in exchange.by_session().values())
               if any("made-up@corp.example" in rcpt for rcpt in rcpts)]
    assert len(asked) == 3
    assert not exchange.said("DATA") and not exchange.said("AUTH")

    learned = census.run("explain", "new@corp.example").stdout
    assert "new@corp.example: accept" in learned and "a callout proved it deliverable" in learned
    refused = census.run("explain", "made-up@corp.example").stdout
    assert "made-up@corp.example: reject" in refused and "RecipientNotFound" in refused
    report = census.run("report").stdout
    assert "new@corp.example: unsure -> accept (proven" in report
    assert "made-up@corp.example: unsure -> reject (proven-unknown" in report
    assert census.stop() == 0
