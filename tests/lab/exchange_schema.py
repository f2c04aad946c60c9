"""The part of Exchange's schema that the lab's domain controller needs, as LDIF."""

from __future__ import annotations

# cn, name, attributeID, attributeSyntax, oMSyntax. The IDs lie in Exchange's own arcs.
ATTRIBUTES = (
    ("ms-Exch-Require-Auth-To-Send-To", "msExchRequireAuthToSendTo", "1.2.840.113556.1.4.7000.102.5062", "2.5.5.8", 1),
    ("ms-Exch-Recipient-Type-Details", "msExchRecipientTypeDetails", "1.2.840.113556.1.4.7000.102.50855", "2.5.5.16", 65),
    ("ms-Exch-Hide-From-Address-Lists", "msExchHideFromAddressLists", "1.2.840.113556.1.2.73", "2.5.5.8", 1),
    ("ms-Exch-Target-Address", "targetAddress", "1.2.840.113556.1.2.352", "2.5.5.12", 64),
)

# cn, name, governsID. Each is a structural class of mail recipients. (The lab's own IDs: clients never see them.)
CLASSES = (
    ("ms-Exch-Dynamic-Distribution-List", "msExchDynamicDistributionList", "1.2.840.113556.1.5.7000.62.59001"),
    ("ms-Exch-Public-Folder", "publicFolder", "1.2.840.113556.1.5.7000.62.59002"),
    ("ms-Exch-System-Mailbox", "msExchSystemMailbox", "1.2.840.113556.1.5.7000.62.59003"),
)
# As for AD's own contacts: administrators and the system do all, every account reads.
RIGHTS = "D:(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;DA)(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;SY)(A;;RPLCLORC;;;AU)"


def attributes(schema: str) -> str:
    """Entries for ldbadd: the attributes themselves."""
    return "".join(
        f"dn: CN={cn},{schema}\nobjectClass: attributeSchema\ncn: {cn}\nlDAPDisplayName: {name}\n"
        f"attributeID: {oid}\nattributeSyntax: {syntax}\noMSyntax: {om}\nisSingleValued: TRUE\n"
        f"searchFlags: 0\nisMemberOfPartialAttributeSet: TRUE\nadminDisplayName: {cn}\n\n" for cn, name, oid, syntax, om in ATTRIBUTES)


def links(schema: str) -> str:
    """Changes for ldbmodify: every mail recipient may have them, and the global catalogue holds proxyAddresses."""
    return (f"dn: CN=Mail-Recipient,{schema}\nchangetype: modify\nadd: mayContain\n"
            + "".join(f"mayContain: {name}\n" for _, name, *_ in ATTRIBUTES) + "\n" + catalogue(schema, "Proxy-Addresses", True))


def catalogue(schema: str, cn: str, holds: bool) -> str:
    """A change for ldbmodify: whether the global catalogue holds an attribute."""
    return (f"dn: CN={cn},{schema}\nchangetype: modify\nreplace: isMemberOfPartialAttributeSet\n"
            f"isMemberOfPartialAttributeSet: {'TRUE' if holds else 'FALSE'}\n")


def classes(schema: str) -> str:
    """Entries for ldbadd, once the attributes are there."""
    return "".join(
        f"dn: CN={cn},{schema}\nobjectClass: classSchema\ncn: {cn}\nlDAPDisplayName: {name}\ngovernsID: {oid}\n"
        f"subClassOf: top\nobjectClassCategory: 1\nauxiliaryClass: mailRecipient\npossSuperiors: container\n"
        f"possSuperiors: organizationalUnit\nrDNAttID: cn\ndefaultObjectCategory: CN={cn},{schema}\n"
        f"defaultSecurityDescriptor: {RIGHTS}\nadminDisplayName: {cn}\n\n" for cn, name, oid in CLASSES)
