"""A real Active Directory domain controller: Samba, with what Postcensus reads of Exchange's schema.

SambaAD owns its folder and its process. Provisioning takes some seconds: make one per session, and
clear() between tests. Objects are written straight into the private database, so that they can be
added while the server runs, is stopped or has never been started; uSNChanged moves all the same.
Runs as root inside the lab (ports 389, 636, 3268, 88).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterable, Sequence

import exchange_schema
from certificates import Authority
from process import LabError, MissingTool, Process, Server, command, need

REALM = "CORP.EXAMPLE"
BASE = "DC=corp,DC=example"
SCHEMA = f"CN=Schema,CN=Configuration,{BASE}"
STAFF = f"OU=Staff,{BASE}"
SERVICES = f"OU=Services,{BASE}"
SYSTEM_OBJECTS = f"CN=Microsoft Exchange System Objects,{BASE}"
DELETED_OBJECTS = f"CN=Deleted Objects,{BASE}"
ADMIN_PASSWORD = "Lab-Secret-1"
SHOW_DELETED = ["show_deleted:1"]


class SambaAD(Server):
    """dc1.corp.example. `uri` and `ca_file` are what a client needs, `bind_dn` and `password` its account."""

    name, address = "dc1", "127.0.0.1"
    uri = "ldaps://dc1.corp.example"
    base = BASE
    bind_dn = f"CN=postcensus,{SERVICES}"
    password = "Census-Secret-1"

    def __init__(self, folder: Path) -> None:
        for program, package in (("samba", "samba-ad-dc"), ("samba-tool", "samba-ad-dc"), ("ldbmodify", "ldb-tools")):
            need(program, package)
        if not Path("/usr/share/samba/setup/ad-schema").is_dir():
            raise MissingTool("Samba's schema files are not installed (Debian package samba-ad-provision)")
        self.folder = folder
        self.log = folder / "samba.log"
        self._db = None
        self._descriptors: dict[str, str] = {}
        self._conf, self._sam = folder / "smb.conf", folder / "dc/private/sam.ldb"
        (folder / "run").mkdir(parents=True)
        self._make()

    def section(self, password_file: Path) -> dict[str, object]:
        """What a [directory.…] section of Postcensus says about this server."""
        return {"uri": self.uri, "base": self.base, "flavour": "ad", "bind-dn": self.bind_dn,
                "password-file": password_file, "ca-file": self.ca_file}

    # --- the server

    def start(self) -> None:
        """Serves; returns when LDAP and LDAPS accept connections."""
        self.process = Process(["samba", "-i", "-M", "single", f"--configfile={self._conf}", "--debuglevel=1"], self.log)
        for port in (389, 636):
            self.process.wait_for_port(self.address, port, 30)

    def reset(self) -> None:
        """Back to what it was when new: running, no mailboxes, no denials, the account as clients know it."""
        if self.process:
            self.thaw()
        else:
            self.start()
        for dn in list(self._descriptors):
            self.allow(dn)
        self.clear()
        self.set_lockout(0)
        self.set_password(self.password)
        self.unlock()

    # --- the objects

    def add_mailbox(self, name: str, primary: str, secondaries: Iterable[str] = (), closed: bool | None = None,
                    disabled: bool = True, ou: str = STAFF, **attributes: str | Sequence[str]) -> str:
        """A user with proxyAddresses; returns its DN. An address with a type of its own (X500:…) stays as it is."""
        more: dict[str, str | Sequence[str]] = {"mail": primary} if primary else {}
        if closed is not None:
            more["msExchRequireAuthToSendTo"] = "TRUE" if closed else "FALSE"
        values = _addresses(primary, secondaries)
        if values:
            more["proxyAddresses"] = values
        return self.add(f"CN={name},{ou}", "user", sAMAccountName=name[:20],
                        userAccountControl="514" if disabled else "544", **{**more, **attributes})

    def add(self, dn: str, object_class: str, **attributes: str | Sequence[str]) -> str:
        """Any object (contact, group, publicFolder…)."""
        self.db.add({"dn": dn, "objectClass": object_class, **_lists(attributes)})
        return dn

    def add_many(self, names: Iterable[str], domain: str = "corp.example", ou: str = STAFF) -> int:
        """name@domain for each, as contacts (cheaper than users), in one transaction: some hundred a second."""
        self.db.transaction_start()
        count = 0
        try:
            for count, name in enumerate(names, 1):
                self.db.add({"dn": f"CN={name},{ou}", "objectClass": "contact",
                             "proxyAddresses": [f"SMTP:{name}@{domain}"]})
        except BaseException:
            self.db.transaction_cancel()
            raise
        self.db.transaction_commit()
        return count

    def set_addresses(self, dn: str, primary: str, secondaries: Iterable[str] = ()) -> None:
        """Replaces all of them; an empty primary takes them away."""
        self.modify(dn, proxyAddresses=_addresses(primary, secondaries))

    def modify(self, dn: str, **attributes: str | Sequence[str]) -> None:
        """Replaces attributes; an empty list deletes one."""
        ldb = _ldb()
        message = ldb.Message(ldb.Dn(self.db, dn))
        for name, values in _lists(attributes).items():
            message[name] = ldb.MessageElement(values, ldb.FLAG_MOD_REPLACE, name)
        self.db.modify(message)

    def disable(self, dn: str) -> None:
        self.modify(dn, userAccountControl="514")

    def delete(self, dn: str) -> None:
        """Leaves a tombstone without addresses, as AD does."""
        self.db.delete(dn, ["tree_delete:1"])

    def rename(self, dn: str, new_dn: str) -> None:
        self.db.rename(dn, new_dn)

    def clear(self) -> None:
        """Deletes all of OU=Staff and of Exchange's system objects, and all recipients of OU=Services.

        Slow: after thousands make a new server instead.
        """
        self.db.transaction_start()
        for ou, which in ((STAFF, "(objectClass=*)"), (SYSTEM_OBJECTS, "(objectClass=*)"), (SERVICES, "(proxyAddresses=*)")):
            for entry in self.db.search(ou, scope=_ldb().SCOPE_ONELEVEL, expression=which, attrs=["objectClass"]):
                self.db.delete(entry.dn, ["tree_delete:1"])
        self.db.transaction_commit()

    def deny(self, dn: str, what: str = "RPLCLO") -> None:
        """Takes the service account's right to see an object and all below it, until allow()."""
        self._prepend(dn, f"(D;OICI;{what};;;{self._sid()})")

    def hide_addresses(self, dn: str) -> None:
        """Takes the service account's right to read proxyAddresses, and only that, below an object, until allow()."""
        self._prepend(dn, f"(OD;OICI;RP;bf967a06-0de6-11d0-a285-00aa003049e2;;{self._sid()})")

    def allow(self, dn: str) -> None:
        self._aces().modify_sd_on_dn(dn, self._descriptors.pop(dn), SHOW_DELETED)

    def allow_tombstones(self, inherited: bool = False) -> None:
        """As `dsacls "CN=Deleted Objects,…" /G account:LCRP` on Windows (inherited: with /I:T too).

        Without the right the service account gets the container's bare DN and no tombstone. With it, a tombstone shows
        what the object's own rights show. On a DC that learned of the deletion by replication, Samba has taken the
        rights that came from the old OU: of users only objectGUID remains, unless the grant is inherited.
        The grant moves the container's own uSNChanged.
        """
        self._prepend(DELETED_OBJECTS, f"(A;{'CI' if inherited else ''};LCRP;;;{self._sid()})")

    def put_into_catalogue(self, cn: str, holds: bool) -> None:
        """Whether the schema says that the global catalogue has an attribute (Samba's has all of them anyway). Restarts."""
        self.stop()
        self._change_schema("ldbmodify", exchange_schema.catalogue(SCHEMA, cn, holds))
        self.start()

    def forbid_tombstones(self) -> None:
        """Back to the default."""
        if DELETED_OBJECTS in self._descriptors:
            self.allow(DELETED_OBJECTS)

    def set_password(self, password: str) -> None:
        """Changes the service account's password on the server; `password` keeps what clients were told."""
        self.modify(self.bind_dn, unicodePwd=[f'"{password}"'.encode("utf-16-le")])

    def set_lockout(self, wrong_binds: int) -> None:
        """After so many wrong binds an account is locked (0: never, Samba's default). unlock() ends a lock."""
        self.modify(BASE, lockoutThreshold=str(wrong_binds))

    def unlock(self) -> None:
        self.modify(self.bind_dn, lockoutTime="0")

    def kerberos(self) -> tuple[dict[str, str], Path]:
        """What GSSAPI needs on ldap://dc1 and dc2.corp.example: environment of the client, and the account's keytab."""
        keytab = self.folder / "postcensus.keytab"
        if not keytab.exists():
            for name, argument in (("spn", ["add", "ldap/dc1.corp.example", "DC1$"]),
                                   ("domain", ["exportkeytab", str(keytab), "--principal=postcensus"])):
                command(["samba-tool", name, *argument, f"--configfile={self._conf}"])
        return {"KRB5_CONFIG": str(self.krb5_conf()), "KRB5CCNAME": f"FILE:{self.folder}/ccache"}, keytab

    def krb5_conf(self) -> Path:
        """The configuration of a Kerberos client of this server."""
        conf = self.folder / "krb5.conf"
        conf.write_text(f"[libdefaults]\ndefault_realm = {REALM}\ndns_lookup_kdc = false\ndns_lookup_realm = false\n"
                        f"rdns = false\ndns_canonicalize_hostname = false\n[realms]\n{REALM} = {{\n"
                        f"kdc = {self.address}\n}}\n[domain_realm]\n.corp.example = {REALM}\n")
        return conf

    @property
    def db(self):
        """The private database, opened with system rights."""
        if self._db is None:
            self._db = self._open()
        return self._db

    # --- how it is made

    def _make(self) -> None:
        authority = Authority(self.folder / "tls")
        self.ca_file = authority.ca_file
        self._certificate, self._key = authority.issue("dc", ["dc1.corp.example", "dc2.corp.example", "corp.example"])
        self._samba_tool("provision", "--domain=CORP", f"--host-name={self.name}", f"--host-ip={self.address}",
                         f"--adminpass={ADMIN_PASSWORD}", "--server-role=dc")
        self._extend_schema()
        for ou in (STAFF, SERVICES):
            self.db.add({"dn": ou, "objectClass": "organizationalUnit"})
        self.db.add({"dn": SYSTEM_OBJECTS, "objectClass": "container"})
        # 66048: a normal account whose password never expires.
        self.db.add({"dn": self.bind_dn, "objectClass": "user", "sAMAccountName": "postcensus",
                     "unicodePwd": [f'"{self.password}"'.encode("utf-16-le")], "userAccountControl": "66048"})

    def _samba_tool(self, verb: str, *arguments: str, env: dict[str, str] | None = None) -> None:
        """Makes the databases by `samba-tool domain provision` or `join`, and the server's configuration."""
        folders = {"pid directory": "run", "lock directory": "dc", "state directory": "dc/state",
                   "cache directory": "dc/cache", "private dir": "dc/private", "binddns dir": "dc/bind-dns",
                   "ncalrpc dir": "run/ncalrpc", "winbindd socket directory": "run/winbindd",
                   "ntp signd socket directory": "run/ntp"}
        options = {"netbios name": self.name.upper(), "interfaces": self.address, "bind interfaces only": "yes",
                   "server services": "rpc, ldap, cldap, kdc", "log file": str(self.folder / "samba.%m.log"),
                   "tls keyfile": str(self._key), "tls certfile": str(self._certificate),
                   "tls cafile": str(self.ca_file), "old password allowed period": "0",
                   "rpc server dynamic port range": "50000-55000",
                   **{name: str(self.folder / at) for name, at in folders.items()}}
        done = command(["samba-tool", "domain", verb, *arguments, f"--realm={REALM}", "--dns-backend=NONE",
                        f"--targetdir={self.folder / 'dc'}",
                        *(f"--option={name}={value}" for name, value in options.items())], env=env)
        (self.folder / f"{verb}.log").write_text(done.stdout + done.stderr)
        # Not the file that samba-tool wrote: it has shares that nobody needs here.
        self._conf.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in {
            "realm": REALM, "workgroup": "CORP", "server role": "active directory domain controller", **options}.items()))

    def _extend_schema(self) -> None:
        """Only while samba is stopped, and each step a run of its own: the next one needs the reread schema."""
        for tool, ldif in (("ldbadd", exchange_schema.attributes(SCHEMA)), ("ldbmodify", exchange_schema.links(SCHEMA)),
                           ("ldbadd", exchange_schema.classes(SCHEMA))):
            self._change_schema(tool, ldif)

    def _change_schema(self, tool: str, ldif: str) -> None:
        command([tool, "-H", self._sam, f"--configfile={self._conf}", "--option=dsdb:schema update allowed=true"], text=ldif)

    def _open(self):
        try:
            from samba.auth import system_session
            from samba.param import LoadParm
            from samba.samdb import SamDB
        except ImportError as error:
            raise MissingTool(f"Samba's Python module is missing (Debian package python3-samba): {error}; "
                              f"this is {sys.executable}, and Debian's is /usr/bin/python3") from None
        settings = LoadParm()
        settings.load(str(self._conf))
        # A schema of its own: two domain controllers in one process number the attributes differently.
        return SamDB(url=str(self._sam), session_info=system_session(settings), lp=settings, global_schema=False)

    def _prepend(self, dn: str, ace: str) -> None:
        """Changes the rights on an object; allow() restores what they were."""
        self._descriptors.setdefault(dn, self._aces().get_sd_as_sddl(dn, SHOW_DELETED))
        self._aces().dacl_prepend_aces(dn, ace, SHOW_DELETED)

    def _aces(self):
        from samba.sd_utils import SDUtils
        return SDUtils(self.db)

    def _sid(self) -> str:
        from samba.dcerpc import security
        from samba.ndr import ndr_unpack
        found = self.db.search(self.bind_dn, scope=_ldb().SCOPE_BASE, attrs=["objectSid"])
        if not found:
            raise LabError(f"{self.bind_dn} is gone")
        return str(ndr_unpack(security.dom_sid, found[0]["objectSid"][0]))


def _ldb():
    import ldb
    return ldb


def _addresses(primary: str, secondaries: Iterable[str]) -> list[str]:
    typed = [a if ":" in a else f"smtp:{a}" for a in secondaries]
    return ([f"SMTP:{primary}"] if primary else []) + typed


def _lists(attributes: dict[str, str | Sequence[str]]) -> dict[str, list]:
    return {name: [values] if isinstance(values, (str, bytes)) else list(values) for name, values in attributes.items()}
