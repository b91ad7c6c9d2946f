"""A program gets to run recorded: the target, its Python, its core, its process, and what is known of it."""
