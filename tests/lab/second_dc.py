"""A second domain controller, joined to the first by Samba's own means: the same objects, other update numbers.

Nothing replicates by itself: replicate() decides when. dc1 must be running to make one (some six seconds) and to
replicate (one second). The databases are separate: each has its invocationId and its uSNChanged.
"""

from __future__ import annotations

from pathlib import Path

from process import command
from samba_ad import ADMIN_PASSWORD, BASE, SambaAD

ADMIN = f"-UAdministrator%{ADMIN_PASSWORD}"


class SecondDC(SambaAD):
    """dc2.corp.example. All that SambaAD has, done on this server's own copy; its certificate is dc1's."""

    name, address = "dc2", "192.0.2.1"
    uri = "ldaps://dc2.corp.example"

    def __init__(self, folder: Path, first: SambaAD) -> None:
        self.first = first
        super().__init__(folder)

    def replicate(self, back: bool = False) -> None:
        """Pulls what changed on dc1; with `back`, dc1 pulls what changed here. The other side must be running."""
        to, source = (self.first, self) if back else (self, self.first)
        # --local: this command writes the database itself, so that no server needs Samba's replication service.
        command(["samba-tool", "drs", "replicate", f"{to.name}.corp.example", f"{source.name}.corp.example", BASE,
                 "--local", ADMIN, f"--configfile={to._conf}"], env=self._kerberos_client())

    def _make(self) -> None:
        self.ca_file, self._certificate, self._key = self.first.ca_file, self.first._certificate, self.first._key
        self._samba_tool("join", "corp.example", "DC", "--server=dc1.corp.example", ADMIN, env=self._kerberos_client())
        # For kerberos(): the join itself gives dc2 no such name.
        command(["samba-tool", "spn", "add", "ldap/dc2.corp.example", "DC2$", f"--configfile={self.first._conf}"])

    def _kerberos_client(self) -> dict[str, str]:
        return {"KRB5_CONFIG": str(self.first.krb5_conf())}
