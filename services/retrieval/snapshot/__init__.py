"""The index on disk beside the record, so that a start maps a file instead of reading every product.

The record alone is durable truth. A snapshot is the index as it was after some write, under a token that the
record is marked with too; the journal of that token names every product that was written since, before the
record learns of it. At start the index is the snapshot with those products read from the record again. What
does not fit together is told, thrown away, and the index made from the whole record.
"""
