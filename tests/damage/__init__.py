"""Recordings with something wrong in them: how they come about, what is made of them, and whether that is so."""
