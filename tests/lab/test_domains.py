"""domains = postfix: a panel's database names the relay domains, as with ISPConfig and its like."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from conftest import tools
from gateway import STRANGER
from process import MissingTool, command, wait_for


class Panel:
    """A database that Postfix asks through sqlite_table(5), as it would MySQL."""

    def __init__(self, folder: Path, domains: list[str]) -> None:
        if "sqlite" not in command(["postconf", "-m"]).stdout.split():
            raise MissingTool("Postfix has no sqlite tables here: install postfix-sqlite")
        folder.mkdir()
        self.database, self.map = folder / "panel.db", folder / "relay_domains.cf"
        self._run("CREATE TABLE domain (name TEXT)")
        for domain in domains:
            self.add(domain)
        self.map.write_text(f"dbpath = {self.database}\nquery = SELECT name FROM domain WHERE name = '%s'\n")
        self.name = f"sqlite:{self.map}"

    def add(self, domain: str) -> None:
        self._run("INSERT INTO domain VALUES (?)", domain)

    def remove(self, domain: str) -> None:
        self._run("DELETE FROM domain WHERE name = ?", domain)

    def for_postfix_alone(self) -> None:
        """As panels leave such files, for there is a password in them."""
        shutil.chown(self.map, "root", "postfix")
        self.map.chmod(0o640)

    def _run(self, sql: str, *values: str) -> None:
        with sqlite3.connect(self.database) as connection:
            connection.execute(sql, values)


@pytest.fixture
def panel(folder):
    with tools():
        return Panel(folder / "panel", ["corp.example"])


@pytest.fixture
def census(postcensus, gateway, slapd, exchange, panel):
    """Two of corp.example, one of branch.example in the directory; all of them known to Exchange."""
    people = {"anna": "anna@corp.example", "ben": "ben@corp.example", "zoe": "zoe@branch.example"}
    slapd.load([(name, [address]) for name, address in people.items()])
    slapd.start()
    exchange.recipients = set(people.values())
    gateway.reload(relay_domains=f"proxy:{panel.name}", parent_domain_matches_subdomains="relay_domains")
    postcensus.configure({**gateway.sections(),
                          "directory.corp": slapd.section(postcensus.secret("corp.password", slapd.password)),
                          "route.all": {"domains": "postfix", "callout": "postfix"}})
    return postcensus


def answer(gateway, rcpt: str) -> str:
    return gateway.dialogue(rcpt, client_ip=STRANGER).code


def test_the_panel_says_which_domains_there_are(census, gateway, panel, exchange):
    assert census.run("sync").returncode == 0
    assert census.table("directory") == ["anna@corp.example\tOK", "ben@corp.example\tOK"]
    census.watch()
    exchange.recipients |= {"new@corp.example"}
    assert answer(gateway, "new@corp.example") == "450 4.1.1"
    wait_for(lambda: answer(gateway, "new@corp.example") == "250", "learned", 5)

    # A name below a relayed domain is a stranger's invention, though Postfix relays it.
    assert answer(gateway, "x@made-up.corp.example") == "450 4.1.1"
    assert answer(gateway, "zoe.z@branch.example") == "454 4.7.1"  # no relay domain
    panel.add("branch.example")
    assert answer(gateway, "zoe@branch.example") == "450 4.1.1"
    wait_for(lambda: answer(gateway, "zoe@branch.example") == "250", "the new domain", 10)
    assert "Postfix relays other domains now: 2, and 1 before" in census.log.read_text()
    assert census.stop() == 0
    with sqlite3.connect(f"file:{census.state}?mode=ro", uri=True) as state:
        assert [row[0] for row in state.execute("SELECT domain FROM relay_domain")] == ["branch.example", "corp.example"]
    done = census.run("explain", "zoe@branch.example")
    assert "accept" in done.stdout and "no route" not in done.stdout


def test_a_panel_that_does_not_answer_ends_no_domain(census, gateway, panel):
    # At first nothing is known that could stay: nothing is done at all.
    panel.for_postfix_alone()
    failed = census.run("sync")
    assert failed.returncode == 69 and "must be able to read it" in failed.stderr
    assert not census.table("directory")
    panel.map.chmod(0o644)
    assert census.run("sync").returncode == 0
    panel.for_postfix_alone()
    for _ in range(3):
        again = census.run("sync", "--full")
        assert again.returncode == 0 and "must be able to read it" in again.stderr
    assert census.run("watch", "--once").returncode == 0
    for rcpt in ("anna@corp.example", "ben@corp.example"):
        assert answer(gateway, rcpt) == "250"


def test_two_noes_end_a_domain_through_the_gate(census, gateway, panel, wall_clock):
    panel.add("branch.example")
    assert census.run("sync").returncode == 0
    panel.remove("corp.example")
    panel.remove("branch.example")
    for _ in range(3):  # all these say no at one time
        assert census.run("sync").returncode == 0
    assert len(census.table("directory")) == 3
    panel.add("branch.example")
    assert census.run("sync").returncode == 0
    panel.remove("branch.example")
    wall_clock.set(60)
    held = census.run("sync", env=wall_clock.env)
    # The second no of corp.example, and the first one, again, of branch.example.
    assert held.returncode == 1 and "2 removals wait for an operator" in held.stderr
    assert len(census.table("directory")) == 3
    assert census.run("approve", env=wall_clock.env).stdout == "- anna@corp.example\n- ben@corp.example\n"
    assert census.table("directory") == ["zoe@branch.example\tOK"]
    # The panel has them back.
    panel.add("corp.example")
    assert census.run("sync", env=wall_clock.env).returncode == 0
    assert len(census.table("directory")) == 3


def test_a_lost_state_beside_a_panel_that_does_not_answer(census, gateway, panel):
    """Domains of tables that are out are asked about, and "don't know" takes nobody away, not the only one of a domain either."""
    gateway.reload(relay_domains=f"corp.example, proxy:{panel.name}")
    panel.add("branch.example")
    assert census.run("sync").returncode == 0
    everybody = ("anna@corp.example", "ben@corp.example", "zoe@branch.example")
    for path in census.state.parent.iterdir():
        path.unlink()
    panel.for_postfix_alone()
    for words in (["sync"], ["watch", "--once"]):
        failed = census.run(*words)
        assert failed.returncode == 69 and "must be able to read it" in failed.stderr
        assert [answer(gateway, rcpt) for rcpt in everybody] == ["250"] * 3
    panel.map.chmod(0o644)
    assert census.run("watch", "--once").returncode == 0
    assert [answer(gateway, rcpt) for rcpt in everybody] == ["250"] * 3
