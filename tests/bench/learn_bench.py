"""A small Active Directory over TLS and an Exchange: sync, and how soon a new mailbox is accepted."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from pathlib import Path

from measure import row, seconds
from misses import percentile_99
from exchange import ExchangeStandIn
from gateway import Gateway
from postcensus import Postcensus
from process import LabError, wait_for
from samba_ad import SambaAD

SMALL, LARGE = 200, 2000
MAILBOXES, PEERS = 200, 20

# What people use without Postcensus: one pipeline from cron.
SCRIPT = r"""
set -e -o pipefail
ldapsearch -LLL -o ldif-wrap=no -x -H "$URI" -D "$BIND_DN" -y "$PASSWORD" -b "$BASE" -E pr=1000/noprompt '(proxyAddresses=*)' proxyAddresses |
    grep -i '^proxyAddresses: smtp:' | sed 's/^[^:]*: [sS][mM][tT][pP]:\(.*\)/\1 OK/' | tr '[:upper:]' '[:lower:]' | sort -u > "$MAP"
postmap -c "$POSTFIX" "lmdb:$MAP"
"""


class LearnBench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.directory = SambaAD(folder / "ad")
        self.exchange = ExchangeStandIn(recipients={"anna@corp.example"})
        self.gateway = Gateway(folder / "gateway", folder / "maps")
        self.number = 0

    def start(self) -> None:
        self.directory.start()
        self.exchange.start()
        self.gateway.start()
        self.directory.add_mailbox("anna", "anna@corp.example")

    def stop(self) -> None:
        self.gateway.kill()
        self.exchange.stop()
        self.directory.stop()

    def census(self, maps: Path) -> Postcensus:
        """One with an empty state."""
        self.number += 1
        census = Postcensus(self.folder / f"census{self.number}", maps)
        secret = census.secret("corp.password", self.directory.password)
        sections = self.gateway.sections()
        sections["general"] |= {"maps": maps, "publish-interval": "0s"}
        census.configure({**sections, "directory.corp": self.directory.section(secret),
                          "route.exchange": {"domains": "corp.example", "callout": "127.0.0.1:2525", "control": "anna@corp.example"}})
        return census

    def sync(self, count: int) -> None:
        map_file = self.folder / "script.map"
        password = self.folder / "script.password"
        password.write_text(self.directory.password)
        password.chmod(0o600)
        env = {**os.environ, "URI": self.directory.uri, "BIND_DN": self.directory.bind_dn, "PASSWORD": str(password),
               "BASE": self.directory.base, "MAP": str(map_file), "POSTFIX": str(self.gateway.etc),
               "LDAPTLS_CACERT": str(self.directory.ca_file)}
        script = seconds(lambda: subprocess.run(["bash", "-c", SCRIPT], env=env, check=True, capture_output=True))

        def run(census: Postcensus) -> None:
            done = census.run("sync")
            if done.returncode:
                raise LabError(done.stderr)

        fresh = iter([self.census(self.folder / f"maps{count}-{n}") for n in range(3)])
        row(f"first sync of {count} recipients, published / ldapsearch and postmap", seconds(lambda: run(next(fresh))), script)
        known = self.census(self.folder / f"maps{count}-0")
        run(known)
        row(f"sync of {count} recipients without a change / ldapsearch and postmap", seconds(lambda: run(known)), script)

    def accept(self, name: str) -> float:
        """From the first RCPT for a mailbox that only Exchange knows to a session that accepts it."""
        address = f"{name}@corp.example"
        self.exchange.recipients |= {address}
        begun = time.perf_counter()
        wait_for(lambda: self.gateway.dialogue(address).code == "250", f"{address} accepted", 30)
        return time.perf_counter() - begun

    def learn(self) -> None:
        census = self.census(self.folder / "maps")
        census.set("budget", network="6000/m", domain="100/s", total="100/s")
        if census.run("sync").returncode:
            raise LabError("sync failed")
        census.watch(log_level="info")
        ours = [self.accept(f"ours{n}") for n in range(MAILBOXES)]
        census.stop()
        self.gateway.reload(smtpd_recipient_restrictions="permit_mynetworks, reject_unauth_destination, reject_unverified_recipient",
                            relay_recipient_maps="", address_verify_map="", unverified_recipient_reject_code="550")
        peer = [self.accept(f"peer{n}") for n in range(PEERS)]
        row(f"a new mailbox from its first miss to acceptance, median of {MAILBOXES} / verify(8), of {PEERS}",
            statistics.median(ours), statistics.median(peer))
        row("  99th percentile / verify(8)", percentile_99(ours), percentile_99(peer))


def run(folder: Path) -> None:
    bench = LearnBench(folder)
    try:
        bench.start()
        bench.directory.add_many(f"small{n}" for n in range(SMALL))
        bench.sync(SMALL)
        bench.directory.add_many(f"large{n}" for n in range(LARGE - SMALL))
        bench.sync(LARGE)
        bench.learn()
    finally:
        bench.stop()
