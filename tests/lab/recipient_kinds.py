"""One object of every kind that Exchange knows, as it leaves them in Active Directory.

The numbers are msExchRecipientTypeDetails. Users are disabled where Exchange disables them.
"""

from __future__ import annotations

from samba_ad import STAFF, SYSTEM_OBJECTS, SambaAD

DISABLED, ENABLED = "514", "544"  # userAccountControl; 544: enabled, no password needed
UNIVERSAL, GLOBAL_SECURITY, UNIVERSAL_SECURITY = "8", "-2147483646", "-2147483640"  # groupType

# name, number, class, and what is particular to it.
PUBLISHED = (
    ("user", 1, "user", {"userAccountControl": ENABLED}),
    ("linked", 2, "user", {"userAccountControl": DISABLED}),
    ("shared", 4, "user", {"userAccountControl": DISABLED}),
    ("room", 16, "user", {"userAccountControl": DISABLED}),
    ("equipment", 32, "user", {"userAccountControl": DISABLED}),
    ("contact", 64, "contact", {"targetAddress": "SMTP:contact@partner.example"}),
    ("mail-user", 128, "user", {"userAccountControl": ENABLED, "targetAddress": "SMTP:mail-user@partner.example"}),
    ("distribution", 256, "group", {"groupType": UNIVERSAL}),
    ("non-universal", 512, "group", {"groupType": GLOBAL_SECURITY}),
    ("security", 1024, "group", {"groupType": UNIVERSAL_SECURITY}),
    ("dynamic", 2048, "msExchDynamicDistributionList", {}),
    ("folder", 4096, "publicFolder", {}),
    ("remote", 2147483648, "user", {"userAccountControl": ENABLED, "targetAddress": "SMTP:remote@cloud.example"}),
    ("group-mailbox", 1099511627776, "group", {"groupType": UNIVERSAL}),
    ("plain", None, "user", {"userAccountControl": ENABLED}),
)
NEVER_PUBLISHED = (
    ("attendant", 8192, "user", {"userAccountControl": DISABLED}),
    ("system", 16384, "msExchSystemMailbox", {}),
    ("arbitration", 8388608, "user", {"userAccountControl": DISABLED}),
    ("plan", 16777216, "user", {"userAccountControl": DISABLED}),
    ("discovery", 536870912, "user", {"userAccountControl": DISABLED}),
    ("monitoring", 549755813888, "user", {"userAccountControl": DISABLED}),
)
# They live under "Microsoft Exchange System Objects", all others in OU=Staff.
SYSTEM = {"folder", "system", "monitoring"}


def add_recipient_kinds(samba: SambaAD) -> tuple[dict[str, str], dict[str, str]]:
    """Adds them all; returns name → address of those to be published, and of those that never may be."""
    return tuple({row[0]: _add(samba, *row) for row in rows} for rows in (PUBLISHED, NEVER_PUBLISHED))


def _add(samba: SambaAD, name: str, number: int | None, object_class: str, particular: dict[str, str]) -> str:
    address = f"{name}@corp.example"
    if number is not None:
        particular = {**particular, "msExchRecipientTypeDetails": str(number)}
    if object_class in ("user", "group"):
        particular = {**particular, "sAMAccountName": name}
    samba.add(f"CN={name},{SYSTEM_OBJECTS if name in SYSTEM else STAFF}", object_class,
              proxyAddresses=[f"SMTP:{address}"], **particular)
    return address
