-- Objects that are mailboxes and hide their addresses from our account; and values that are no addresses.

ALTER TABLE object ADD COLUMN plain INTEGER NOT NULL DEFAULT 0; -- what it lists stands in `mail`, not in proxyAddresses
ALTER TABLE object ADD COLUMN doubts TEXT;                      -- it hides addresses: in this domain, or anywhere ('')
CREATE INDEX object_doubts ON object (doubts) WHERE doubts IS NOT NULL;
-- Values that people meant for addresses, as the last readings met them. Bounded.
CREATE TABLE mistyped (
    directory_id INTEGER NOT NULL REFERENCES directory (id),
    guid         BLOB NOT NULL,
    dn           TEXT NOT NULL,
    value        TEXT NOT NULL,               -- as it stands there, printable
    why          TEXT NOT NULL,
    PRIMARY KEY (directory_id, guid, value)
) STRICT, WITHOUT ROWID;
