"""The command line: the only home of typer.  One module a command, no logic in them."""
