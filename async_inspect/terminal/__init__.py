"""Text for people: what commands print.  Knows rich; knows nothing of how anything is found."""
