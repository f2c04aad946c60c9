-- What a next version might change, for test_upgrade.py: a column of the largest table, a table, and an index. The whole
-- table is written anew.
ALTER TABLE address ADD COLUMN noticed INTEGER NOT NULL DEFAULT 0;
UPDATE address SET noticed = id;
CREATE INDEX address_by_notice ON address (noticed);

CREATE TABLE notice (
    address_id INTEGER PRIMARY KEY REFERENCES address (id),
    text       TEXT NOT NULL
) STRICT;
INSERT INTO notice (address_id, text) SELECT id, address FROM address;
