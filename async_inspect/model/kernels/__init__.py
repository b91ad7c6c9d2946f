"""What records mean, each meaning written once: for a whole recording (``building/``) and for one that grows
(``live/``).  Pure functions of columns; what was known before a chunk is handed in with it."""
