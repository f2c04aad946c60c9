"""How Postcensus asks: as much as the server allows, and no more."""

from __future__ import annotations

import time

import pytest

import habits
from process import wait_for
from wall_clock import WallClock

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


def miss_line(rcpt: str, client: str = "192.0.2.10") -> str:
    return (f"{WallClock.stamp()} gateway postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[{client}]: 450 4.1.1 <{rcpt}>: "
            f"Recipient address rejected: User unknown in relay recipient table; from=<a@b.test> to=<{rcpt}> proto=ESMTP helo=<x>\n")


def miss(folder, *rcpts: str, client: str = "192.0.2.10") -> None:
    with (folder / "misses.log").open("a") as log:
        for rcpt in rcpts:
            log.write(miss_line(rcpt, client))


def refused(census) -> int:
    return len(census.table("unknown"))


def accepts(census, rcpt: str) -> bool:
    return any(line.split()[0] == rcpt for line in census.table("learned") + census.table("directory"))


def learn(census, folder, rcpt: str, seconds: float = 10) -> None:
    miss(folder, rcpt)
    census.wait_for(lambda: accepts(census, rcpt), f"{rcpt} accepted", seconds)


def made_up(count: int, name: str = "made-up") -> list[str]:
    return [f"{name}{number}@corp.example" for number in range(count)]


def refusals_by_session(exchange) -> list[int]:
    return [sum(c.verb == "RCPT" and "ben@" not in c.argument for c in commands) for commands in exchange.by_session().values()]


def test_a_server_without_a_limit_is_asked_more_in_a_session(census, exchange, folder):
    census.watch()
    miss(folder, *made_up(MANY))
    census.wait_for(lambda: refused(census) == MANY, "all of them refused", 20)
    sizes = refusals_by_session(exchange)
    assert sizes[0] <= 4 and max(sizes) > 16 and len(sizes) < MANY / 8, sizes
    assert census.stop() == 0
    # It is remembered.
    exchange.forget()
    census.watch()
    miss(folder, *made_up(20, "more"))
    census.wait_for(lambda: refused(census) == MANY + 20, "the others refused", 20)
    assert refusals_by_session(exchange)[0] > 16
    assert census.stop() == 0


def test_a_server_that_ends_sessions_is_not_driven_to_it_again(census, exchange, folder):
    exchange.habits = habits.Habits(max_errors=5)
    census.watch()
    miss(folder, *made_up(40))
    census.wait_for(lambda: refused(census) == 40, "all of them refused", 30)
    assert sum("421" in line for line in exchange.transcript) <= 1, "once, to find the limit"
    assert "as it ended one" in census.log.read_text()
    assert census.stop() == 0


def test_a_session_waits_for_the_next_sender(census, exchange, folder):
    """The controls and their tarpit are paid once."""
    exchange.habits = habits.Habits(tarpit=2)
    exchange.recipients |= {"one@corp.example", "two@corp.example"}
    census.watch()
    learn(census, folder, "one@corp.example")
    begun = time.monotonic()
    learn(census, folder, "two@corp.example")
    assert time.monotonic() - begun < 1.5, "no control in between"
    assert len(exchange.by_session()) == 1
    assert census.stop() == 0
    # Nothing is kept open behind our back.
    wait_for(lambda: not exchange._protocols, "the session closed")


def test_a_server_that_ends_a_waiting_session_is_asked_by_another_one(census, exchange, folder):
    exchange.recipients |= {"one@corp.example", "two@corp.example"}
    census.watch()
    learn(census, folder, "one@corp.example")
    exchange.stop()
    exchange.start()
    learn(census, folder, "two@corp.example", 20)
    assert census.stop() == 0


def test_an_answer_does_not_wait_for_the_rest_of_its_session(census, exchange, folder):
    exchange.habits = habits.Habits(tarpit=1)
    census.watch()
    miss(folder, *made_up(3))
    census.wait_for(lambda: refused(census) == 1, "the first refused")
    assert len(exchange.asked("made-up2@corp.example")) == 0
    assert census.stop() == 0


def test_a_slow_server_has_its_sessions_side_by_side(census, exchange, folder):
    exchange.habits = habits.Habits(tarpit=1)
    census.set("route.exchange", sessions=4)
    census.watch()
    miss(folder, *made_up(1))
    census.wait_for(lambda: refused(census) == 1, "that it is slow")
    miss(folder, *made_up(4, "more"))
    census.wait_for(lambda: refused(census) == 5, "all refused")
    assert exchange.peak == 4
    assert census.stop() == 0


def test_a_server_that_turns_sessions_away_gets_fewer(census, exchange, folder):
    exchange.habits = habits.Habits(max_sessions=2)
    census.set("route.exchange", sessions=6)
    census.watch()
    miss(folder, *made_up(MANY))
    census.wait_for(lambda: refused(census) == MANY, "all refused", 30)
    log = census.log.read_text()
    assert "takes 2 sessions at a time" in log and "stopped" not in log
    assert sum("maximum number of concurrent" in line for line in exchange.transcript) <= 6
    assert census.stop() == 0


def test_a_server_that_slows_a_session_down_is_left_before(census, exchange, folder):
    exchange.habits = habits.Habits(slow_from=6)
    census.watch()
    miss(folder, *made_up(60))
    census.wait_for(lambda: refused(census) == 60, "all refused", 30)
    assert "5 refused recipients a session from now on, as it slows down then" in census.log.read_text()
    assert max(refusals_by_session(exchange)[-5:]) <= 5
    assert census.stop() == 0


def test_another_host_of_the_route_is_asked_when_one_is_gone(census, exchange, exchange2, folder):
    exchange2.recipients = {"ben@corp.example", "new@corp.example", "newer@corp.example"}
    exchange.recipients |= {"newest@corp.example"}
    census.set("route.exchange", callout="127.0.0.1:2525 192.0.2.1:2525")
    exchange.stop()
    census.watch()
    learn(census, folder, "new@corp.example")
    exchange.habits = habits.Habits(replies=habits.BLOCKED)
    exchange.start()
    learn(census, folder, "newer@corp.example")
    # The first one is asked again once it works.
    exchange.habits = habits.Habits()
    exchange2.stop()
    learn(census, folder, "newest@corp.example", 70)
    assert census.stop() == 0


def test_a_fault_about_one_domain_stops_that_one_alone(census, exchange, folder):
    census.set("route.exchange", domains="corp.example strange.example", control=None)
    exchange.recipients |= {"a@corp.example", "b@corp.example", "c@strange.example"}
    exchange.habits = habits.Habits(foreign={"strange.example"})
    census.watch()
    miss(folder, "c@strange.example")
    census.wait_for(lambda: "for strange.example stopped" in census.log.read_text(), "its fault")
    for rcpt in ("a@corp.example", "b@corp.example"):
        learn(census, folder, rcpt, 2)
    exchange.habits = habits.Habits()
    census.wait_for(lambda: accepts(census, "c@strange.example"), "it works again", 70)
    assert census.stop() == 0


def test_a_recipient_that_breaks_sessions_does_not_stand_in_the_way(census, exchange, folder):
    exchange.habits = habits.Habits(close_at={"bad@corp.example"})
    exchange.recipients |= {"good@corp.example"}
    census.watch()
    miss(folder, "bad@corp.example", "good@corp.example")
    census.wait_for(lambda: accepts(census, "good@corp.example"), "the other one", 15)
    assert len(exchange.asked("bad@corp.example")) <= 3
    assert census.stop() == 0


def test_senders_that_come_back_and_networks_that_ask_little_go_first(census, exchange, folder):
    exchange.recipients |= {"real@corp.example"}
    census.set("budget", domain="1/s", network="30/m")
    census.watch()
    miss(folder, *made_up(1000))
    census.wait_for(lambda: exchange.asked("made-up9@corp.example"), "the budget is spent")
    miss(folder, "real@corp.example", client="203.0.113.1")
    census.wait_for(lambda: accepts(census, "real@corp.example"), "no turn behind the flood", 5)
    assert len([a for a in exchange.asked() if a.startswith("made-up")]) < 20, "its budget, and no more"
    assert census.stop() == 0
    # What was not asked is still there.
    assert census.run("report").returncode == 0


def test_domains_share_what_a_server_allows(census, exchange, folder):
    census.set("route.exchange", domains="corp.example one.example two.example", control=None)
    exchange.recipients |= {"a@one.example", "a@two.example"}
    exchange.habits = habits.Habits(tarpit=0.3)
    census.watch()
    miss(folder, *made_up(30))
    census.wait_for(lambda: len(exchange.asked()) > 3, "the only session is busy")
    miss(folder, "a@one.example", "a@two.example")
    census.wait_for(lambda: accepts(census, "a@one.example") and accepts(census, "a@two.example"), "their turn", 10)
    assert refused(census) < 25 and exchange.peak == 1
    assert census.stop() == 0


def test_an_outage_keeps_nothing_and_its_end_asks_at_once(census, exchange, folder):
    exchange.recipients |= {"new@corp.example"}
    exchange.habits = habits.Habits(replies=habits.GREYLISTED)
    census.watch()
    miss(folder, "new@corp.example", "made-up@corp.example")
    census.wait_for(lambda: len(exchange.by_session()) >= 2, "tried again with the controls", 15)
    assert not exchange.asked("new@corp.example")
    exchange.habits = habits.Habits()
    census.wait_for(lambda: accepts(census, "new@corp.example"), "learned", 30)
    assert census.stop() == 0


def test_the_host_that_postfix_would_deliver_to_is_asked(census, gateway, exchange, exchange2, folder):
    exchange.recipients |= {"new@corp.example"}
    exchange2.recipients = {"special@corp.example", "ben@corp.example"}
    census.set("route.exchange", callout="postfix")
    census.watch()
    learn(census, folder, "new@corp.example")
    miss(folder, "made-up@corp.example")
    census.wait_for(lambda: refused(census) == 1, "refused")
    assert census.stop() == 0
    assert census.run("probe", "new@corp.example").returncode == 0
    # One address lives elsewhere: it has controls of its own, as that server's word counts for nobody else.
    gateway.reload(address_verify_transport_maps="inline:{special@corp.example=relay:[192.0.2.1]:2525}, $transport_maps")
    census.watch()
    learn(census, folder, "special@corp.example")
    assert "special@corp.example" in exchange2.asked() and "special@corp.example" not in exchange.asked()
    # Who is refused there needs a known-good control there: ben's home is the other one.
    assert "ben@corp.example" not in exchange2.asked()
    assert census.stop() == 0


def test_postfix_names_the_hosts_of_many_known_recipients(census, exchange, folder):
    """Controls are drawn among them: each draw has some whose host was not looked up yet."""
    people = [f"person{number}@corp.example" for number in range(1000)]
    exchange.recipients |= set(people)
    census.set("route.exchange", control=None)
    census.watch()
    miss(folder, *people)
    census.wait_for(lambda: len(census.table("learned") + census.table("directory")) >= 1000, "all of them known", 60)
    assert census.stop() == 0
    census.set("route.exchange", callout="postfix")
    miss(folder, "made-up@corp.example")
    assert census.run("watch", "--once", seconds=10).returncode == 0
    assert refused(census) == 1


def test_a_transport_table_that_does_not_answer_is_no_answer(census, gateway, exchange, folder):
    exchange.recipients |= {"new@corp.example"}
    census.set("route.exchange", callout="postfix")
    gateway.reload(address_verify_transport_maps="lmdb:/nonexistent, $transport_maps")
    census.watch()
    miss(folder, "new@corp.example")
    census.wait_for(lambda: "cannot ask lmdb:/nonexistent" in census.log.read_text(), "it says so")
    assert not exchange.asked()
    gateway.reload(address_verify_transport_maps="$transport_maps")
    census.wait_for(lambda: accepts(census, "new@corp.example"), "learned", 20)
    assert census.stop() == 0


def test_a_server_that_loses_its_directory_refuses_nobody(census, exchange, folder):
    """Not even by sessions whose controls had passed before."""
    census.set("route.exchange", sessions=4)
    exchange.recipients |= {"one@corp.example", "real@corp.example"}
    census.watch()
    learn(census, folder, "one@corp.example")  # this session waits, and trusts the server
    everybody = set(exchange.recipients)
    exchange.recipients.clear()
    miss(folder, "real@corp.example", *made_up(20))
    census.wait_for(lambda: "for corp.example stopped" in census.log.read_text(), "it is noticed")
    assert refused(census) == 0
    exchange.recipients |= everybody
    census.wait_for(lambda: accepts(census, "real@corp.example") and refused(census) == 20, "it works again", 40)
    assert census.stop() == 0


def test_a_server_that_has_lost_most_of_its_recipients_refuses_none_of_them(census, exchange, folder):
    """It knows 16 of 40: once a control was refused, whom it does not know is nobody's proof, however often it is asked."""
    people = [f"person{number}@corp.example" for number in range(40)]
    exchange.recipients |= set(people)
    census.set("route.exchange", control=None)
    census.watch()
    miss(folder, *people)
    census.wait_for(lambda: all(accepts(census, one) for one in people), "all of them known", 30)
    exchange.recipients = set(people[:16])
    for number in range(20):  # the first ones may draw two that it knows
        miss(folder, f"made-up{number}@corp.example")
        census.wait_for(lambda number=number: exchange.asked(f"made-up{number}@corp.example"), "asked", 30)
        if "prove nothing" in census.log.read_text():
            break
    census.wait_for(lambda: "prove nothing" in census.log.read_text(), "doubt", 30)
    miss(folder, "real@corp.example")
    census.wait_for(lambda: len(exchange.asked("real@corp.example")) >= 2, "asked again", 60)
    assert "real@" not in str(census.table("unknown")) and all(accepts(census, one) for one in people)
    exchange.recipients = {*people, "real@corp.example", "real2@corp.example"}
    miss(folder, "real2@corp.example", "later@corp.example")
    census.wait_for(lambda: accepts(census, "real2@corp.example") and any("later@" in line for line in census.table("unknown")),
                    "it works again", 120)
    assert "knows all known-good controls for corp.example again" in census.log.read_text()
    assert all(accepts(census, one) for one in people)
    assert census.stop() == 0


def test_a_recipient_that_has_left_does_not_hold_up_the_others(census, exchange, folder):
    people = [f"person{number}@corp.example" for number in range(5)]
    exchange.recipients |= set(people)
    census.set("route.exchange", control=None)
    census.watch()
    miss(folder, *people)
    census.wait_for(lambda: all(accepts(census, one) for one in people), "all of them known")
    exchange.recipients.discard(people[0])
    for number in range(10):
        miss(folder, *made_up(1, f"made-up{number}-"))
        census.wait_for(lambda number=number: refused(census) >= number + 1, "refused", 40)
    assert not accepts(census, people[0]) and all(accepts(census, one) for one in people[1:])
    assert census.stop() == 0


def test_a_server_that_begins_to_accept_all_stops_all_its_sessions(census, exchange, folder):
    census.set("route.exchange", sessions=2)
    exchange.habits = habits.Habits(tarpit=0.5)
    census.watch()
    miss(folder, *made_up(2))
    census.wait_for(lambda: refused(census) == 2, "sessions that know the server")
    exchange.habits = habits.Habits(accept_all=True)
    miss(folder, *made_up(60, "more"))
    census.wait_for(lambda: "accepts every recipient" in census.log.read_text(), "it is noticed", 30)
    asked = len(exchange.asked())
    exchange.habits = habits.Habits()
    census.wait_for(lambda: refused(census) >= 40, "what was not answered before", 60)
    assert asked < 60, "and not one after the other accepted"
    assert census.stop() == 0
