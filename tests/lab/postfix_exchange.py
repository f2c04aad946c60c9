"""Exchange played by a second Postfix that knows its recipients: real and fast, with Postfix's own habits."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable

from postfix import Postfix


class PostfixExchange(Postfix):
    """A Postfix on port 2525 that refuses unknown recipients with `550 5.1.1`, and discards the mail of known ones."""

    def __init__(self, folder: Path, recipients: Iterable[str] = (), domains: Iterable[str] = ("corp.example",),
                 address: str = "127.0.0.1", port: int = 2525, kind: str = "lmdb") -> None:
        super().__init__(folder, "ex1.corp.example", address, port)
        self.kind = kind
        self.settings.update({
            "mynetworks": "127.0.0.0/8", "virtual_mailbox_domains": " ".join(domains), "virtual_transport": "discard",
            "virtual_mailbox_maps": f"{kind}:{self.etc}/recipients", "virtual_alias_maps": "", "syslog_name": "exchange",
            "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination"})
        self.set_recipients(recipients)

    def set_recipients(self, recipients: Iterable[str]) -> None:
        """Replaces all; the next session meets them."""
        self.table(self.kind, "recipients", {recipient: "OK" for recipient in recipients})
