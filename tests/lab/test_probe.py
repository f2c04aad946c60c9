"""`probe`: one live callout, the class, what stands behind it, and the exit code that a script may go by."""

from __future__ import annotations

import pytest

import habits

ROUTE = {"domains": "corp.example", "callout": "127.0.0.1:2525", "control": "ben@corp.example"}


@pytest.fixture
def census(postcensus, gateway, exchange):
    exchange.recipients = {"anna@corp.example", "ben@corp.example"}
    exchange.closed = {"staff@corp.example"}
    postcensus.configure({**gateway.sections(), "route.exchange": ROUTE})
    return postcensus


@pytest.mark.parametrize("address, klass, code, words", [
    ("anna@corp.example", "deliverable", 0, "250 2.1.5 Recipient OK"),
    ("nobody@corp.example", "unknown", 1, "RecipientNotFound"),
    ("staff@corp.example", "closed", 0, "AuthRequired"),
])
def test_classes(census, address, klass, code, words):
    done = census.run("probe", address)
    assert done.returncode == code and done.stdout.startswith(f"{address}: {klass}\n"), done
    assert words in done.stdout and "random refused 550 5.1.10; ben@corp.example accepted" in done.stdout
    assert "meaning" in done.stdout and "RCPT TO" not in done.stdout
    assert not census.state.exists(), "a look leaves nothing behind"


@pytest.mark.parametrize("what, klass, code, words", [
    ({"accept_all": True}, "accept-all", 69, "accept = @corp.example"),
    ({"replies": habits.NO_ANONYMOUS}, "fault", 69, "530 5.7.57"),
    ({"replies": habits.UNABLE_TO_RELAY}, "fault", 69, "Unable to relay"),
    ({"replies": habits.BLOCKED}, "fault", 69, "554 5.7.1"),
    ({"replies": habits.BACK_PRESSURE}, "retry", 75, "452 4.3.1"),
    ({"replies": habits.GREYLISTED}, "retry", 75, "451 4.7.1"),
    ({"replies": habits.TOO_MANY_CONNECTIONS}, "retry", 75, "421 4.3.2"),
    ({"rcpt_replies": {"ben@corp.example": habits.NOT_FOUND}}, "fault", 69, "known to exist"),
])
def test_servers_that_prove_nothing(census, exchange, what, klass, code, words):
    exchange.habits = habits.Habits(**what)
    done = census.run("probe", "anna@corp.example")
    assert done.returncode == code and done.stdout.startswith(f"anna@corp.example: {klass}\n"), done
    assert words in done.stdout, done.stdout


def test_several_addresses_and_the_transcript(census, exchange):
    done = census.run("probe", "anna@corp.example", "nobody@corp.example", "--transcript")
    assert done.returncode == 1
    for line in ("C: MAIL FROM:<>", "C: RCPT TO:<anna@corp.example>", "C: RCPT TO:<nobody@corp.example>", "C: QUIT"):
        assert line in done.stdout
    assert not exchange.said("DATA") and not exchange.said("AUTH")


def test_the_next_host_of_a_route_is_asked(census, exchange):
    census.set("route.exchange", callout="127.0.0.1:2599 127.0.0.1:2525")
    done = census.run("probe", "anna@corp.example")
    assert done.returncode == 0 and "127.0.0.1:2525" in done.stdout, done
    exchange.stop()
    done = census.run("probe", "anna@corp.example")
    assert done.returncode == 75 and "cannot connect" in done.stdout, done


def test_what_is_recorded_counts(census, exchange):
    assert census.run("probe", "--record", "anna@corp.example").returncode == 78, "there is no state yet"
    census.watch()
    assert census.run("probe", "--record", "anna@corp.example").returncode == 0
    assert "anna@corp.example: accept" in census.run("explain", "anna@corp.example").stdout
    census.wait_for(lambda: any(line.startswith("anna@corp.example") for name in ("learned", "directory") for line in census.table(name)),
                    "anna in a table")
    assert census.stop() == 0


def test_mistakes(census):
    for arguments, words in ((["x@nowhere.example"], "no route names"), (["nonsense"], "not an address"), ([], "wants an address")):
        done = census.run("probe", *arguments)
        assert done.returncode == 64 and words in done.stderr, done
    census.set("route.exchange", callout="none")
    done = census.run("probe", "anna@corp.example")
    assert done.returncode == 64 and "callout = none" in done.stderr, done
