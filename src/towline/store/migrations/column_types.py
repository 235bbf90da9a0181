"""Types of columns that mean the same in SQLite and in PostgreSQL.

Revisions use them too, so their meaning never changes; a new meaning is a new name.
"""

from sqlalchemy import BigInteger, Float, Integer, LargeBinary, Text

#: Number of a row that the database gives. SQLite does so only in a column that is exactly INTEGER PRIMARY KEY.
ROW_ID = BigInteger().with_variant(Integer, "sqlite")

#: Number of a row of another table.
REFERENCE = BigInteger()

#: Whole number of up to 64 bits, which is what INTEGER is in SQLite.
WHOLE = Integer().with_variant(BigInteger, "postgresql")

#: Text, compared by the numbers of its characters as SQLite does, not by the rules of a language.
TEXT = Text().with_variant(Text(collation="C"), "postgresql")

#: Double precision; times are seconds since the epoch.
REAL = Float()

#: A JSON document, which the database does not look into.
DOCUMENT = LargeBinary()
