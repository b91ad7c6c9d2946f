"""The live view: a recording on a terminal while it grows.  rich draws; keys, state and the terminal are our own."""
