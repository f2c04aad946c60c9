"""Who asks the tables while they are published finds what is known, always: by postmap, and by Postfix at RCPT."""

from __future__ import annotations

import itertools
import re
import time

import pytest

from process import Process, wait_for
from reader import Reader
from test_asking import accepts, miss
from test_crash import answered, asked, census, keys, run  # noqa: F401 (fixtures)

PUBLICATIONS = 300
TYPES = ["hash", "btree", "lmdb", "cdb"]


def publications(census) -> int:
    return census.log.read_text().count("info: published ")


@pytest.mark.parametrize("table_type", TYPES)
def test_a_reader_that_loops(answered, exchange, folder, table_type):
    """Two recipients come, one of them closed, and two are refused, again and again; now and then one is forgotten."""
    answered.set("general", publish_interval="0")
    texts = {name: dict(line.split("\t", 1) for line in answered.table(name)) for name in ("directory", "closed", "unknown")}
    come = {key: "OK" for key in texts["directory"]}
    reader = Reader(table_type, {("directory",): texts["directory"], ("learned", "directory"): come, ("closed",): texts["closed"],
                                 ("unknown",): texts["unknown"]}, answered.maps)
    answered.watch(log_level="info")
    begun = time.monotonic()
    with reader:
        for number in itertools.count():
            if publications(answered) >= PUBLICATIONS:
                break
            assert time.monotonic() < begun + 25, f"{publications(answered)} publications"
            real, closed, made_up = f"new{number}@corp.example", f"shut{number}@corp.example", f"nobody{number}@corp.example"
            exchange.recipients.add(real)
            exchange.closed.add(closed)
            miss(folder, real, closed, made_up)
            answered.wait_for(lambda: accepts(answered, real) and closed in keys(answered, "closed") and
                              made_up in keys(answered, "unknown"), "their answers")
            come[real] = "OK"
            if number % 8 == 7:  # what the base holds, too
                gone = [f"{name}{number - 4}@corp.example" for name in ("new", "shut", "nobody")]
                exchange.recipients.discard(gone[0])
                come.pop(gone[0])
                reader.wait_round()
                run(answered, "forget", *gone)
    bases = answered.log.read_text().count("info: published directory")
    print(f"{publications(answered)} publications, {bases} of the base, {reader.rounds} rounds, {time.monotonic() - begun:.1f} s")
    assert not reader.wrong, reader.wrong
    assert reader.rounds > 50 and bases > 3
    assert answered.stop() == 0


def test_the_reader_would_notice(answered):
    """The counter-proof: an index that is gone, an entry that is, and one that nobody can read."""
    known = {("unknown",): dict(line.split("\t", 1) for line in answered.table("unknown"))}
    index, other = answered.maps / "unknown.lmdb", (answered.maps / "learned.lmdb").read_bytes()
    text = index.read_bytes()
    for spoil in (index.unlink, lambda: index.write_bytes(other), lambda: index.write_bytes(text[:5000])):
        spoil()
        with Reader("lmdb", known, answered.maps) as reader:
            wait_for(lambda: reader.wrong, "the reader to notice")
        index.write_bytes(text)


@pytest.mark.parametrize("table_type", ["lmdb", "hash"])
def test_a_new_mailbox_is_not_refused_again(postcensus, make_gateway, table_type, slapd, exchange, folder):
    """From `unknown` to accepted: who was once answered otherwise than 550 never is again. Each answer is a session of its own."""
    gateway = make_gateway()
    exchange.recipients = {"ben@corp.example"}
    slapd.load([("ben", ["ben@corp.example"])])
    slapd.start()
    postcensus.configure({**gateway.sections(), "directory.corp": slapd.section(postcensus.secret("corp.password", slapd.password)),
                          "route.exchange": {"domains": "corp.example", "callout": "127.0.0.1:2525", "control": "ben@corp.example"}})
    postcensus.set("general", publish_interval="0")
    run(postcensus, "sync")
    postcensus.watch()
    still_refused = 0
    for number in range(4):
        rcpt = f"late{number}@corp.example"
        wait_for(lambda: gateway.dialogue(rcpt).code == "550 5.1.1", f"{rcpt} refused")
        slapd.add(f"late{number}", [rcpt])
        answers = [gateway.dialogue(rcpt).code]
        with Process([postcensus.binary, "--config", postcensus.conf, "sync", "--full"], folder / "sync.log"):
            end = time.monotonic() + 10
            while answers[-20:] != ["250"] * 20 and time.monotonic() < end:
                answers.append(gateway.dialogue(rcpt).code)
        assert re.fullmatch("(550 5.1.1,)*(450 4.1.1,)*(250,)+", "".join(f"{answer}," for answer in answers)), answers
        still_refused += answers.count("550 5.1.1")
        exchange.recipients.add(rcpt)  # a directory that lists whom the server refuses would prove nothing
    assert still_refused
    assert postcensus.stop() == 0
