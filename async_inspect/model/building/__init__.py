"""A recording's records become tables: one module a table or step, put in order by ``builder.py``."""
