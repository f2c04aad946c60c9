"""`make demo`: the story of Postcensus in a minute, on a private Active Directory, Postfix gateway and Exchange stand-in.

Runs inside the lab (tests/lab/run); nothing of it survives its end. KEEP=1 leaves the servers up until Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from certificates import Authority  # noqa: E402
from exchange import ExchangeStandIn  # noqa: E402
from gateway import Gateway  # noqa: E402
from habits import Habits  # noqa: E402
from postcensus import Postcensus  # noqa: E402
from process import LabError, wait_for  # noqa: E402
from samba_ad import SambaAD  # noqa: E402

BOLD, DIM, END = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if sys.stdout.isatty() and "NO_COLOR" not in os.environ else ("", "", "")


def step(number: int, text: str) -> None:
    print(f"\n{BOLD}{number}. {text}{END}", flush=True)


def indent(text: str) -> None:
    for line in text.rstrip().splitlines():
        print(f"   {line}", flush=True)


class Demo:
    """The servers, the program, and the steps of the story."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder / "authority")
        self.directory = SambaAD(folder / "ad")
        self.exchange = ExchangeStandIn(certificate=self.authority.self_signed("ex1", ["ex1.corp.example"]))
        self.sink = ExchangeStandIn(port=2526, hostname="sink.example", habits=Habits(accept_all=True))
        self.gateway = Gateway(folder / "gateway", folder / "maps", kind="lmdb")
        self.census = Postcensus(folder / "postcensus", folder / "maps")

    def start(self) -> None:
        self.directory.start()
        self.exchange.start()
        self.sink.start()
        for name, addresses in {"anna": ["anna@corp.example", "anna.smith@corp.example"], "ben": ["ben@corp.example"]}.items():
            self.directory.add_mailbox(name, addresses[0], addresses[1:])
            self.exchange.recipients |= set(addresses)
        self.gateway.start()
        self.census.configure({**self.gateway.sections(),
                               "directory.corp": self.directory.section(self.census.secret("corp.password", self.directory.password)),
                               "route.exchange": {"domains": "corp.example", "callout": "ex1.corp.example:2525"}})

    def stop(self) -> None:
        self.census.stop()
        self.gateway.kill()
        self.sink.stop()
        self.exchange.stop()
        self.directory.stop()

    def run(self, *command: str) -> None:
        print(f"   $ postcensus {' '.join(command)}")
        done = self.census.run(*command)
        indent(done.stdout + done.stderr)
        if done.returncode:
            raise LabError(f"postcensus {' '.join(command)} ended with {done.returncode}")

    def show(self, recipient: str, expected: str) -> None:
        """One SMTP session of a stranger with the gateway, as it went."""
        dialogue = self.gateway.dialogue(recipient)
        for line in dialogue.lines:
            if "RCPT" in line or dialogue.rcpt.splitlines()[0] in line:
                indent(line)
        if dialogue.code != expected:
            raise LabError(f"the gateway answered {dialogue.code} for {recipient}; {expected} was expected")

    def wait_for(self, recipient: str, expected: str) -> None:
        begun = time.monotonic()
        wait_for(lambda: self.gateway.dialogue(recipient).code == expected, f"{recipient}: {expected}", 10)
        print(f"   {DIM}{time.monotonic() - begun:.1f} s later, in a new session:{END}")
        self.show(recipient, expected)

    def tell(self) -> None:
        step(1, "Read Active Directory (Samba, LDAPS) and publish the tables")
        self.run("sync")
        step(2, "The gateway (Postfix) accepts whom the directory lists, by each of their addresses")
        self.show("anna@corp.example", "250")
        self.show("anna.smith@corp.example", "250")
        step(3, "It does not know this one yet: no rejection, the sender is asked to come back. Then watch asks Exchange")
        self.census.watch(log_level="info")
        self.show("made-up@corp.example", "450 4.1.1")
        self.wait_for("made-up@corp.example", "550 5.1.1")
        step(4, "A mailbox that only Exchange knows so far is learned from its first miss")
        self.exchange.recipients |= {"new@corp.example"}
        self.show("new@corp.example", "450 4.1.1")
        self.wait_for("new@corp.example", "250")
        step(5, "What Exchange was asked: with a random and a known-good control in the session, never DATA")
        indent("\n".join(line for line in self.census.log.read_text().splitlines() if " callout " in line))
        step(6, "Why?")
        self.run("explain", "made-up@corp.example")
        step(7, "The report")
        self.run("report")
        step(8, "watch is killed: failsafe ends its rejections when their time is over, and accepts as before")
        self.census.kill()
        self.run("failsafe", "--maps", str(self.census.maps))
        indent(f"(nothing to do yet: {next(l for l in (self.census.maps / 'unknown').read_text().splitlines() if 'until' in l)[2:]})")
        self.census.watch(log_level="info")

    def keep(self) -> None:
        gateway, census = self.gateway, self.census
        print(f"""
The lab stays up until Ctrl-C. From another terminal, as root:
   nsenter --target {os.environ.get("LAB_PID", "$(pgrep -n -f tests/lab/demo.py)")} --net --mount --pid bash
   then, for example:
   {census.binary} --config {census.conf} explain anna@corp.example
   {census.binary} --config {census.conf} report
   talk SMTP to the gateway at 127.0.0.1 port 25; its log is {gateway.log}
""", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


def main() -> int:
    os.umask(0o022)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM}) if os.environ.get("KEEP") == "1" else None
    print("Starting a private Active Directory, Postfix gateway and Exchange stand-in…", flush=True)
    with tempfile.TemporaryDirectory(dir=os.environ["LAB_DIR"]) as name:
        Path(name).chmod(0o755)
        demo = Demo(Path(name))
        try:
            demo.start()
            demo.tell()
            if os.environ.get("KEEP") == "1":
                demo.keep()
        finally:
            demo.stop()
    print("\nThat is all. Nothing is left running.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
