"""`check`: a healthy gateway has no fault, and each fault that is made for real is found, with its remedy."""

from __future__ import annotations

import json

import pytest

ROUTE = {"domains": "corp.example", "callout": "127.0.0.1:2525"}


class Check:
    """Runs `check --format json` and finds what it says."""

    def __init__(self, census) -> None:
        self.census = census
        self.run()

    def run(self, seconds: float = 15) -> "Check":
        self.done = self.census.run("check", "--format", "json", seconds=seconds)
        assert self.done.returncode in (0, 1), self.done
        self.findings = json.loads(self.done.stdout)["findings"]
        return self

    def of(self, level: str) -> list[dict]:
        return [f for f in self.findings if f["level"] == level]


@pytest.fixture
def census(postcensus, gateway, samba, exchange):
    samba.add_mailbox("anna", "anna@corp.example")
    samba.add_mailbox("ben", "ben@corp.example")
    samba.add_mailbox("post", "postmaster@corp.example")
    exchange.recipients = {"anna@corp.example", "ben@corp.example", "postmaster@corp.example"}
    postcensus.configure({**gateway.sections(),
                          "directory.corp": samba.section(postcensus.secret("corp.password", samba.password)),
                          "route.exchange": ROUTE})
    assert postcensus.run("sync").returncode == 0
    postcensus.watch()
    yield postcensus
    postcensus.stop()


def test_healthy(census):
    print(census.run("check").stdout)
    found = Check(census)
    assert found.of("fail") == [], found.findings
