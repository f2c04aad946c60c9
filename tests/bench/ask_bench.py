"""How fast questions are answered: beside verify(8) where the server is fast, beside the server's own limits where it is not."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from exchange import ExchangeStandIn
from gateway import STRANGER, Gateway
from habits import Habits
from measure import row
from misses import LINE
from postcensus import Postcensus
from postfix_exchange import PostfixExchange
from process import wait_for

MANY, CLIENTS, PEER_MANY = 1000, 20, 140
LIFTED = {"total": "100000/s", "domain": "100000/s", "network": "100000/s"}
TARPIT, ERRORS, SESSIONS, UNKNOWN = 5, 5, 4, 48


def addresses(name: str, count: int) -> list[str]:
    return [f"{name}{number}@corp.example" for number in range(count)]


class AskBench:
    """A gateway whose log nobody but us writes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "misses.log"
        self.gateway = Gateway(folder / "gateway", folder / "maps")
        self.number = 0

    def census(self, **route: object) -> Postcensus:
        self.number += 1
        census = Postcensus(self.folder / f"census{self.number}", self.folder / f"maps{self.number}")
        self.log.write_text("")
        sections = self.gateway.sections()
        sections["general"] |= {"maps": census.maps, "publish-interval": "0s"}
        census.configure({**sections, "log": {"source": "file", "path": self.log}, "budget": LIFTED, "route.exchange": {
            "domains": "corp.example", "callout": "127.0.0.1:2525", "control": "control@corp.example", **route}})
        census.watch(log_level="warning")
        return census

    def answered(self, census: Postcensus, missed: list[str], seconds: float) -> float:
        """From the first line to the last answer that Postfix can use."""
        lines = "".join(LINE.format(client="192.0.2.7", rcpt=rcpt) for rcpt in missed)
        begun = time.perf_counter()
        with self.log.open("a") as log:
            log.write(lines)
        # The head of a table says how many it holds; reading all of it each time would be the bench's own work.
        census.wait_for(lambda: sum(len(census.table(name)) for name in ("unknown", "learned", "directory")) >= len(missed),
                        f"{len(missed)} answers", seconds)
        taken = time.perf_counter() - begun
        census.stop()
        return taken

    def against_postfix(self) -> None:
        known = addresses("real", MANY // 2)
        missed = [rcpt for pair in zip(known, addresses("made-up", MANY // 2)) for rcpt in pair]
        server = PostfixExchange(self.folder / "exchange", [*known, "control@corp.example"])
        server.start()
        try:
            taken = self.answered(self.census(), missed, 120)
            said = server.log.read_text()
            sessions = said.count("disconnect from")
            rcpts = sum(int(part.split("=")[1].split("/")[-1]) for part in said.split() if part.startswith("rcpt="))
            peer = self.verify(missed[:PEER_MANY])
            row(f"answers a second for {MANY} fresh recipients, half unknown / verify(8) with {CLIENTS} clients, {PEER_MANY}",
                MANY / taken, peer, "times")
            row(f"  in so many sessions, {SESSIONS} at a time", sessions, unit="times")
            row("  with so many RCPTs", rcpts, unit="times")
        finally:
            server.kill()

    def verify(self, missed: list[str]) -> float:
        """Each client asks one address after the other, once; Postfix waits with its reply as long as it likes to."""
        self.gateway.reload(smtpd_recipient_restrictions="permit_mynetworks, reject_unauth_destination, reject_unverified_recipient",
                            relay_recipient_maps="", address_verify_map="", unverified_recipient_reject_code="550",
                            in_flow_delay="0")
        waiting, answers = list(missed), []

        def ask() -> None:
            while True:
                try:
                    rcpt = waiting.pop()
                except IndexError:
                    return
                answers.append(self.gateway.dialogue(rcpt, STRANGER).code)

        begun = time.perf_counter()
        threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        taken = time.perf_counter() - begun
        return sum(not code.startswith("4") for code in answers) / taken

    def against_tarpit(self) -> None:
        """Exchange's defaults: what each session can answer is known, so is what all can."""
        server = ExchangeStandIn(recipients={"control@corp.example"}, habits=Habits(tarpit=TARPIT, max_errors=ERRORS))
        server.start()
        try:
            missed = addresses("made-up", UNKNOWN)
            taken = self.answered(self.census(sessions=SESSIONS), missed, 600)
            # The fifth error ends a session: four refusals, one of them the control's.
            best = UNKNOWN / (SESSIONS * (ERRORS - 2)) * (ERRORS - 1) * TARPIT
            row(f"{UNKNOWN} unknown recipients, {TARPIT} s tarpit, {ERRORS} errors a session / what {SESSIONS} sessions allow", taken, best)
            row("  sessions that the server had to end", sum("421" in line for line in server.transcript), unit="times")
        finally:
            server.stop()


def run(folder: Path) -> None:
    bench = AskBench(folder)
    bench.gateway.start()
    try:
        bench.against_postfix()
        bench.against_tarpit()
    finally:
        bench.gateway.kill()
