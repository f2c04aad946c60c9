"""Slapd with so many people, the peers that read it, and Postcensus in front of it: the ground of sync_bench.py."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Sequence

import people
from measure import LabError, Run, best, measure
from postcensus import Postcensus
from postfix import Postfix
from slapd import Slapd

KINDS = {"hash": ".db", "lmdb": ".lmdb"}  # table types and how their files end
FILTER = "(objectClass=inetLocalMailRecipient)"

SEARCH = ('ldapsearch -LLL -o ldif-wrap=no -x -H "$URI" -D "$BIND_DN" -y "$PASSWORD" -b "$BASE" -E pr=1000/noprompt '
          '"$FILTER" mail mailLocalAddress')
SCRIPT = f"""
set -e -o pipefail
{SEARCH} | grep -i '^mail' | sed 's/^[^:]*: \\(.*\\)/\\1 OK/' | tr '[:upper:]' '[:lower:]' | sort -u > "$MAP"
postmap -c "$POSTFIX" "$KIND:$MAP"
"""


class LargeDirectory:
    """Owns its folder and slapd. The Postfix is only a main.cf for postmap and postconf: it never starts."""

    def __init__(self, folder: Path, objects: int) -> None:
        self.folder, self.objects = folder, objects
        self.slapd = Slapd(folder / "slapd")
        self.postfix = Postfix(folder / "postfix", "gateway.corp.example")
        self.log = folder / "mail.log"
        self.log.touch()

    def start(self) -> None:
        self.slapd.load_ldif(lambda out: people.write(out, self.objects))
        self.slapd.start()

    def stop(self) -> None:
        self.slapd.stop()

    def peers(self) -> tuple[Run, dict[str, Run]]:
        """Ldapsearch alone, and the script for each type of table."""
        password, found, script_map = (self.folder / name for name in ("script.password", "found.ldif", "map"))
        password.touch(0o600)
        password.write_text(self.slapd.password)
        env = {"URI": self.slapd.uri, "BIND_DN": self.slapd.bind_dn, "PASSWORD": str(password), "BASE": self.slapd.base,
               "FILTER": FILTER, "MAP": str(script_map), "POSTFIX": str(self.postfix.etc)}
        search = best(lambda: measure(["bash", "-c", f"exec {SEARCH}"], found, env))
        self._check_count(found, "mail")
        scripts = {}
        for kind in KINDS:
            env["KIND"] = kind
            scripts[kind] = best(lambda: measure(["bash", "-c", SCRIPT], env=env))
            self._check_count(script_map, "")
            script_map.with_name(f"map{KINDS[kind]}").unlink()
        return search, scripts

    def census(self, kind: str) -> Postcensus:
        """One with an empty state, in the place of the last."""
        folder = self.folder / "census"
        shutil.rmtree(folder, ignore_errors=True)
        census = Postcensus(folder)
        secret = census.secret("corp.password", self.slapd.password)
        census.configure({
            "general": {"table-type": kind, "postfix-config": self.postfix.etc, "publish-interval": "0s"},
            "log": {"path": self.log},
            # What changes comes by sync alone: the watch does not poll.
            "directory.corp": {**self.slapd.section(secret), "filter": FILTER, "poll-interval": "0s"},
            "route.x": {"domains": people.DOMAIN, "callout": "none"},
            "budget": {"network": "60000/m", "domain": "1000/s", "total": "1000/s"}})
        return census

    def tables(self, census: Postcensus) -> list[tuple[int, int]]:
        """What a table that was replaced has another of."""
        end = KINDS[str(census.sections["general"]["table-type"])]
        states = [(census.maps / f"{name}{end}").stat() for name in ("learned", "directory")]
        return [(state.st_ino, state.st_mtime_ns) for state in states]

    def accepted(self, census: Postcensus, addresses: Sequence[str]) -> bool:
        """Whether Postfix finds all of them in the tables of accepted recipients."""
        kind = census.sections["general"]["table-type"]
        found: set[str] = set()
        for name in ("learned", "directory"):
            found |= self.postfix.postmap_find(f"{kind}:{census.maps / name}", addresses)
        return found >= set(addresses)

    def _check_count(self, path: Path, start: str) -> None:
        """A peer that found less has done less."""
        with path.open() as lines:
            count = sum(line.startswith(start) for line in lines)
        path.unlink()
        if count != people.ADDRESSES * self.objects:
            raise LabError(f"{path.name} has {count} addresses of {self.objects} people")
