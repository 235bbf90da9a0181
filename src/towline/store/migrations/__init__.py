"""Changes of the tables since the first released schema: one file of `versions/` each, written for Alembic.

How to change the tables (`docs/extend/tables.md` has an example):

1. Describe the new table or column in :mod:`towline.store.tables`, with the types of
   :mod:`towline.store.migrations.column_types`. A new column may be NULL or has a `server_default`.
2. Add a file ``versions/revision_NNNN_what_it_does.py`` with the next free number: `revision`, `down_revision` (the
   number before), `additive`, and `upgrade()` with operations of Alembic that work on SQLite and PostgreSQL.
3. Put that number into :data:`SCHEMA_VERSION`.

A revision that was released is never edited. Downgrades do not exist: the copy made before an upgrade is the way back.
This package loads nothing: whoever opens a database reads its version only.
"""

#: Number of the newest revision: what a new database has, and what this code reads and writes.
SCHEMA_VERSION = 6
