"""What is remembered: tables, one module of statements for each group of them, and the database that runs them.

A unit of work is a function of a SQLAlchemy connection; `Database.write` commits it, together with all
others that wait, before it returns. Nothing here knows which database it is.
"""
