"""An OpenLDAP server of its own, for `flavour = ldap` and for benchmarks with many objects. No TLS.

Slapd owns its folder and its process. Load in bulk before start(); change single entries afterwards.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, Callable, Iterable

from process import Process, Server, command, need

BASE = "dc=corp,dc=example"
PEOPLE = f"ou=people,{BASE}"

# 4 GB of address space, not of disk; nosync: a lab that loses power is made anew.
CONF = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/misc.schema
pidfile {folder}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
sizelimit {size_limit}
database mdb
maxsize 4294967296
suffix {base}
rootdn {admin}
rootpw {password}
directory {folder}/db
dbnosync
index objectClass,entryUUID eq
index mail,mailLocalAddress eq,pres
index modifyTimestamp eq
access to * by dn.exact={bind_dn} read by anonymous auth
"""


class Slapd(Server):
    """ldap://127.0.0.1:3890. `bind_dn` and `password` are a reader's account (the same password as the admin's)."""

    base = BASE
    bind_dn = f"cn=postcensus,{BASE}"
    admin_dn = f"cn=admin,{BASE}"
    password = "Census-Secret-2"

    def __init__(self, folder: Path, port: int = 3890, size_limit: str = "unlimited") -> None:
        need("slapd", "slapd")
        need("ldapmodify", "ldap-utils")
        self.folder, self.port, self.log = folder, port, folder / "slapd.log"
        self.uri = f"ldap://127.0.0.1:{port}"
        (folder / "db").mkdir(parents=True)
        self._conf = folder / "slapd.conf"
        self._conf.write_text(CONF.format(folder=folder, base=BASE, admin=self.admin_dn, password=self.password,
                                          bind_dn=self.bind_dn, size_limit=size_limit))
        self._slapadd(lambda out: out.write(
            f"dn: {BASE}\nobjectClass: domain\ndc: corp\n\ndn: {PEOPLE}\nobjectClass: organizationalUnit\nou: people\n\n"
            f"dn: {self.bind_dn}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n"
            f"cn: postcensus\nuserPassword: {self.password}\n\n"))

    def section(self, password_file: Path) -> dict[str, object]:
        """What a [directory.…] section of Postcensus says about this server."""
        return {"uri": self.uri, "base": self.base, "flavour": "ldap", "bind-dn": self.bind_dn, "insecure": "yes",
                "password-file": password_file, "filter": "(objectClass=inetOrgPerson)",
                "attributes": "mail mailLocalAddress"}

    def load(self, people: Iterable[tuple[str, Iterable[str]]]) -> None:
        """Bulk load while stopped: (name, addresses) each; the first address is `mail`, the others mailLocalAddress."""
        assert not self.process, "slapadd wants the server stopped"

        def write(out: IO[str]) -> None:
            for name, addresses in people:
                out.write(_entry(name, list(addresses)))
        self._slapadd(write)

    def load_many(self, count: int, domain: str = "corp.example", aliases: int = 2) -> None:
        """count people, each with one main address and so many others."""
        self.load((f"user{i}", [f"user{i}@{domain}", *(f"alias{a}.user{i}@{domain}" for a in range(aliases))])
                  for i in range(count))

    def load_ldif(self, write: Callable[[IO[str]], object]) -> None:
        """Bulk load while stopped of what write(out) writes: any entries, with operational attributes if need be."""
        assert not self.process, "slapadd wants the server stopped"
        self._slapadd(write)

    def start(self) -> None:
        self.process = Process(["slapd", "-f", self._conf, "-h", self.uri, "-d", "0"], self.log)
        self.process.wait_for_port("127.0.0.1", self.port, 30)

    def add(self, name: str, addresses: Iterable[str]) -> str:
        self.ldif(_entry(name, list(addresses)), "-a")
        return f"cn={name},{PEOPLE}"

    def hide(self, attribute: str, right: str = "none") -> None:
        """From everybody but the administrator, who keep that right. Starts it again."""
        self.stop()
        self._conf.write_text(self._conf.read_text().replace("access to *", f"access to attrs={attribute} by * {right}\naccess to *", 1))
        self.start()

    def delete(self, dn: str) -> None:
        self.ldif(f"dn: {dn}\nchangetype: delete\n")

    def set_addresses(self, dn: str, addresses: Iterable[str]) -> None:
        mail, *others = addresses
        self.ldif(f"dn: {dn}\nchangetype: modify\nreplace: mail\nmail: {mail}\n-\nreplace: mailLocalAddress\n"
                  + "".join(f"mailLocalAddress: {other}\n" for other in others))

    def ldif(self, text: str, *options: str) -> None:
        """Any change, as the administrator."""
        command(["ldapmodify", *options, "-x", "-H", self.uri, "-D", self.admin_dn, "-w", self.password], text=text)

    def _slapadd(self, write) -> None:
        path = self.folder / "load.ldif"
        with path.open("w") as out:
            write(out)
        command(["slapadd", "-q", "-f", self._conf, "-l", path], seconds=600)
        path.unlink()


def _entry(name: str, addresses: list[str]) -> str:
    return (f"dn: cn={name},{PEOPLE}\nobjectClass: inetOrgPerson\nobjectClass: inetLocalMailRecipient\ncn: {name}\n"
            f"sn: {name}\n" + "".join(f"mail: {a}\n" for a in addresses[:1])
            + "".join(f"mailLocalAddress: {a}\n" for a in addresses[1:]) + "\n")
