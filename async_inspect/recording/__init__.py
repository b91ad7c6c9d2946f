"""The recording: the file, read.  Imports nothing by itself: whoever is about to fork may ask."""
