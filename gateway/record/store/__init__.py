"""
The store: facts on disk, in SQLite or PostgreSQL, behind one door. Nothing outside this room knows SQL.

For the control process and the command line only: a worker never imports what is in here.
"""
