"""How Postcensus asks: as much as the server allows, and no more."""

from __future__ import annotations

import pytest

import habits

MANY = 120


@pytest.fixture
def census(postcensus, gateway, exchange, folder):
    """Misses come from a log of our own: no session of Postfix is needed for each."""
    exchange.recipients = {"ben@corp.example"}
    postcensus.configure({**gateway.sections(), "log": {"source": "file", "path": folder / "misses.log"},
                          "route.exchange": {"domains": "corp.example", "callout": "127.0.0.1:2525", "control": "ben@corp.example",
                                             "sessions": 1},
                          "budget": {"total": "1000/s", "domain": "1000/s", "network": "60000/m"}})
    (folder / "misses.log").touch()
    return postcensus


def miss(folder, *rcpts: str) -> None:
    with (folder / "misses.log").open("a") as log:
        for rcpt in rcpts:
            log.write(f"Nov 24 03:58:39 gateway postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[192.0.2.10]: 450 4.1.1 <{rcpt}>: "
                      f"Recipient address rejected: User unknown in relay recipient table; from=<a@b.test> to=<{rcpt}> proto=ESMTP helo=<x>\n")


def refused(census) -> int:
    return len(census.table("unknown"))


def refusals_by_session(exchange) -> list[int]:
    return [sum(c.verb == "RCPT" for c in commands) - 1 for commands in exchange.by_session().values()]


def test_a_server_without_a_limit_is_asked_more_in_a_session(census, exchange, folder):
    census.watch()
    miss(folder, *(f"made-up{number}@corp.example" for number in range(MANY)))
    census.wait_for(lambda: refused(census) == MANY, "all of them refused", 20)
    sizes = refusals_by_session(exchange)
    assert sizes[0] <= 4 and max(sizes) > 16 and len(sizes) < MANY / 8, sizes
    assert census.stop() == 0
    # It is remembered.
    exchange.forget()
    census.watch()
    miss(folder, *(f"more{number}@corp.example" for number in range(20)))
    census.wait_for(lambda: refused(census) == MANY + 20, "the others refused", 20)
    assert refusals_by_session(exchange)[0] > 16
    assert census.stop() == 0


def test_a_server_that_ends_sessions_is_not_driven_to_it_again(census, exchange, folder):
    exchange.habits = habits.Habits(max_errors=5)
    census.watch()
    miss(folder, *(f"made-up{number}@corp.example" for number in range(40)))
    census.wait_for(lambda: refused(census) == 40, "all of them refused", 30)
    assert sum("421" in line for line in exchange.transcript) <= 1, "once, to find the limit"
    assert "as it ended one" in census.log.read_text()
    assert census.stop() == 0
