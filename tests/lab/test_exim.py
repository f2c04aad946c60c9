"""A second opinion: what Postcensus says of a server that we did not write, which counts what it is asked."""

from __future__ import annotations

import socket

import pytest

from exim import SAYS_UNKNOWN
from test_asking import miss as miss_addresses

# What others connect to, from the address that Postcensus comes from.
EXIM = ("127.0.0.1", 2525)


@pytest.fixture
def census(postcensus, gateway, folder):
    """Misses come from a log of our own, and no budget stands in their way."""
    postcensus.configure({**gateway.sections(), "general": {**gateway.sections()["general"], "publish-interval": "100ms"},
                          "log": {"source": "file", "path": folder / "misses.log"},
                          "route.exchange": {"domains": "corp.example", "callout": "127.0.0.1:2525", "control": "ben@corp.example"},
                          "budget": {"total": "1000/s", "domain": "1000/s", "network": "60000/m"}})
    (folder / "misses.log").touch()
    return postcensus


def miss(folder, *names: str) -> None:
    miss_addresses(folder, *(f"{name}@corp.example" for name in names))


def accepted(census) -> set[str]:
    """The control that a configuration names is in no table before it was missed."""
    return {line.partition("@")[0] for table in ("learned", "directory") for line in census.table(table)} - {"ben"}


def refused(census) -> set[str]:
    return {line.partition("@")[0] for line in census.table("unknown")}


def numbered(name: str, count: int) -> set[str]:
    return {f"{name}{number}" for number in range(count)}


def wait_for_answers(census, known: set[str], made_up: set[str], seconds: float = 30) -> None:
    census.wait_for(lambda: known | made_up <= accepted(census) | refused(census), "an answer for each", seconds)
    assert (accepted(census), refused(census)) == (known, made_up)


@pytest.mark.parametrize("more_routers, words", [("", "550 Unrouteable address"), (SAYS_UNKNOWN, "550 Unknown user")],
                         ids=["unrouteable", "unknown user"])
def test_what_probe_says(census, make_exim, more_routers, words):
    make_exim("anna", "ben", more_routers=more_routers)
    known = census.run("probe", "anna@corp.example")
    assert known.returncode == 0 and known.stdout.startswith("anna@corp.example: deliverable\n"), known
    made_up = census.run("probe", "made-up@corp.example")
    assert made_up.returncode == 1 and made_up.stdout.startswith("made-up@corp.example: unknown\n"), made_up
    assert words in made_up.stdout and "random refused 550; ben@corp.example accepted" in made_up.stdout, made_up


def test_a_domain_that_it_does_not_relay_is_a_fault(census, make_exim):
    make_exim("anna", "ben", domains=["elsewhere.example"])
    done = census.run("probe", "anna@corp.example")
    assert done.returncode == 69 and done.stdout.startswith("anna@corp.example: fault\n"), done
    assert "550 relay not permitted" in done.stdout, done


def test_what_watch_learns(census, make_exim, folder):
    exim = make_exim("anna", "ben")
    census.watch()
    miss(folder, "anna", "made-up")
    wait_for_answers(census, {"anna"}, {"made-up"})
    # A session that rests notices that its server ends.
    exim.stop()
    exim.set_recipients(["ben", "new"])
    exim.start()
    miss(folder, "new", "made-up-too")
    wait_for_answers(census, {"anna", "new"}, {"made-up", "made-up-too"})
    assert census.stop() == 0


def test_several_in_a_session(census, make_exim, folder):
    known, made_up = numbered("known", 20), numbered("made-up", 40)
    exim = make_exim("ben", *known)
    census.set("route.exchange", sessions=1)
    census.watch()
    miss(folder, *sorted(known | made_up))
    wait_for_answers(census, known, made_up)
    assert exim.logged("closed by QUIT") < 15
    assert census.stop() == 0


@pytest.mark.parametrize("settings, drops", [
    ({}, False),
    ({"smtp_max_unknown_commands": 0, "smtp_max_synprot_errors": 0}, False),
    ({"tls_advertise_hosts": "*"}, False),
    ({"smtp_accept_max_nonmail": 3}, True),
    ({"smtp_accept_max_nonmail": 0}, True),
], ids=str)
def test_one_after_the_other_in_warm_sessions(census, make_exim, folder, settings, drops):
    """EHLO, said again behind each, counts as a command that is no part of a mail: Exim drops who says it too often."""
    known, made_up = numbered("known", 15), numbered("made-up", 15)
    exim = make_exim("ben", *known, **settings)
    census.set("route.exchange", sessions=1)
    census.watch()
    for pair in zip(sorted(known), sorted(made_up)):
        for name, table in zip(pair, (accepted, refused)):
            miss(folder, name)
            census.wait_for(lambda: name in table(census), f"{name} {table.__name__}")
    wait_for_answers(census, known, made_up)
    assert census.stop() == 0
    assert (exim.logged("too many nonmail commands") > 0) == drops
    assert exim.logged("TCP/IP connection count") < 12 or drops, "warm"


@pytest.mark.parametrize("limit", ["smtp_accept_max", "smtp_accept_max_per_host"])
def test_more_sessions_than_it_takes(census, make_exim, folder, limit):
    known, made_up = numbered("known", 20), numbered("made-up", 100)
    exim = make_exim("ben", *known, **{limit: 2})
    census.set("route.exchange", sessions=6)
    census.watch()
    miss(folder, *sorted(known | made_up))
    wait_for_answers(census, known, made_up)
    assert exim.logged("refused: too many connections"), "the limit was met"
    assert "stopped" not in census.log.read_text()
    assert census.stop() == 0


def test_when_others_have_all_its_sessions(census, make_exim, folder):
    exim = make_exim("ben", "anna", smtp_accept_max=2)
    with socket.create_connection(EXIM), socket.create_connection(EXIM):
        census.wait_for(lambda: exim.logged("connection count = 2"), "both of them there")
        census.watch()
        miss(folder, "anna", "made-up")
        census.wait_for(lambda: exim.logged("refused: too many connections"), "ours turned away")
    wait_for_answers(census, {"anna"}, {"made-up"})
    assert census.stop() == 0
