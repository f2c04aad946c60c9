"""A DNS server of the lab, dnsmasq, for the SRV records by which domain controllers are found, and for MX records.

Runs as root inside the lab (127.0.0.1:53). While it runs, the lab's /etc/resolv.conf names it, and it alone
answers: a name that it was not told does not exist. /etc/hosts still goes first for addresses.
"""

from __future__ import annotations

import re
from pathlib import Path

from process import Process, Server, command, need

RESOLV_CONF = Path("/etc/resolv.conf")


class Dns(Server):
    """srv(), mx() and host() before start() or while it runs."""

    def __init__(self, folder: Path) -> None:
        self._program = need("dnsmasq", "dnsmasq-base")
        folder.mkdir(parents=True)
        self.log = folder / "dnsmasq.log"
        self._services: dict[str, tuple[tuple[str, int, int], ...]] = {}
        self._hosts: dict[str, str] = {}
        self._exchangers: dict[str, tuple[tuple[str, int], ...]] = {}
        self._resolv_conf = folder / "resolv.conf"
        self._resolv_conf.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")

    def srv(self, service: str, *targets: tuple[str, int, int]) -> None:
        """(host, port, priority) each, for example of _ldap._tcp.corp.example; none: the name does not exist."""
        self._services[service] = targets
        self._restart()

    def mx(self, domain: str, *hosts: tuple[str, int]) -> None:
        """(host, preference) each."""
        self._exchangers[domain] = hosts
        self._restart()

    def host(self, name: str, address: str) -> None:
        self._hosts[name] = address
        self._restart()

    def start(self) -> None:
        command(["mount", "--bind", self._resolv_conf, RESOLV_CONF.resolve()])
        self._serve()

    def stop(self) -> None:
        if self.process:
            command(["umount", RESOLV_CONF.resolve()])
        super().stop()

    def asked(self) -> list[str]:
        """The queries so far, as "SRV _ldap._tcp.corp.example"."""
        text = self.log.read_text() if self.log.exists() else ""
        return [f"{kind} {name}" for kind, name in re.findall(r"query\[(\w+)\] (\S+) from", text)]

    def _restart(self) -> None:
        if self.process:
            self.process.stop()
            self._serve()

    def _serve(self) -> None:
        records = [f"--srv-host={service},{host},{port},{priority}"
                   for service, targets in self._services.items() for host, port, priority in targets]
        records += [f"--host-record={name},{address}" for name, address in self._hosts.items()]
        records += [f"--mx-host={domain},{host},{preference}"
                    for domain, hosts in self._exchangers.items() for host, preference in hosts]
        self.process = Process(
            [self._program, "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root", "--no-resolv",
             "--no-hosts", "--listen-address=127.0.0.1", "--bind-interfaces", "--local=/#/", "--log-queries",
             "--log-facility=-", *records], self.log)
        self.process.wait_for_port("127.0.0.1", 53)
