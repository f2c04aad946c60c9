"""A large directory of people for slapd: three addresses each, and what real entries have besides."""

from __future__ import annotations

import time
from typing import IO

from slapd import PEOPLE

DOMAIN = "corp.example"
ADDRESSES = 3  # of each

_GIVEN = ("Anna", "Ben", "Carla", "David", "Eva", "Farid", "Greta", "Hakan", "Ines", "Jonas")
_FAMILY = ("Smith", "Novak", "Rossi", "Jensen", "Dubois", "Kaya", "Meyer", "Silva", "Kowalski", "Larsson", "Horvat")
_FIRST_CHANGE, _LAST_CHANGE = 1_500_000_000, 1_700_000_000  # 2017 to 2023: a reader that asks for what is newer finds nothing


def address(number: int) -> str:
    """The main address of one, as loaded."""
    return f"{_GIVEN[number % len(_GIVEN)]}.{_FAMILY[number % len(_FAMILY)]}.{number}@{DOMAIN}".lower()


def write(out: IO[str], count: int) -> None:
    for number in range(count):
        given, family, uid = _GIVEN[number % len(_GIVEN)], _FAMILY[number % len(_FAMILY)], f"u{number:07}"
        changed = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(_FIRST_CHANGE + (_LAST_CHANGE - _FIRST_CHANGE) * number // count))
        out.write(f"dn: uid={uid},{PEOPLE}\nobjectClass: inetOrgPerson\nobjectClass: inetLocalMailRecipient\n"
                  f"uid: {uid}\ncn: {given} {family}\nsn: {family}\ngivenName: {given}\n"
                  f"description: Department {number % 97}, building {number % 7}, room {number % 500}\n"
                  f"telephoneNumber: +49 30 5550 {number:07}\nmail: {address(number)}\n"
                  f"mailLocalAddress: {uid}@{DOMAIN}\nmailLocalAddress: {given[0].lower()}{family.lower()}{number}@{DOMAIN}\n"
                  f"createTimestamp: {changed}\nmodifyTimestamp: {changed}\n\n")


def aliases(numbers: range, name: str) -> tuple[str, list[str]]:
    """Changes that give these people one more address, and the addresses. (No removals: the gate would hold so many.)"""
    added = {number: f"{name}.{number}@{DOMAIN}" for number in numbers}
    return "".join(f"dn: uid=u{number:07},{PEOPLE}\nchangetype: modify\nadd: mailLocalAddress\nmailLocalAddress: {new}\n\n"
                   for number, new in added.items()), list(added.values())


def moves(numbers: range, name: str) -> tuple[str, list[str]]:
    """Changes that give these people other main addresses, and the addresses."""
    moved = {number: f"{name}.{number}@{DOMAIN}" for number in numbers}
    return "".join(f"dn: uid=u{number:07},{PEOPLE}\nchangetype: modify\nreplace: mail\nmail: {new}\n\n"
                   for number, new in moved.items()), list(moved.values())
