"""The part of Exchange's schema that the lab's domain controller needs, as LDIF."""

from __future__ import annotations

# cn, name, attributeID, attributeSyntax, oMSyntax. The IDs lie in Exchange's own arcs.
ATTRIBUTES = (
    ("ms-Exch-Require-Auth-To-Send-To", "msExchRequireAuthToSendTo", "1.2.840.113556.1.4.7000.102.5062", "2.5.5.8", 1),
    ("ms-Exch-Recipient-Type-Details", "msExchRecipientTypeDetails", "1.2.840.113556.1.4.7000.102.50855", "2.5.5.16", 65),
    ("ms-Exch-Hide-From-Address-Lists", "msExchHideFromAddressLists", "1.2.840.113556.1.2.73", "2.5.5.8", 1),
)


def attributes(schema: str) -> str:
    """Entries for ldbadd: the attributes themselves."""
    return "".join(
        f"dn: CN={cn},{schema}\nobjectClass: attributeSchema\ncn: {cn}\nlDAPDisplayName: {name}\n"
        f"attributeID: {oid}\nattributeSyntax: {syntax}\noMSyntax: {om}\nisSingleValued: TRUE\n"
        f"searchFlags: 0\nadminDisplayName: {cn}\n\n" for cn, name, oid, syntax, om in ATTRIBUTES)


def links(schema: str) -> str:
    """A change for ldbmodify: every mail recipient may have them."""
    return f"dn: CN=Mail-Recipient,{schema}\nchangetype: modify\nadd: mayContain\n" + "".join(
        f"mayContain: {name}\n" for _, name, *_ in ATTRIBUTES)
