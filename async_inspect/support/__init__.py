"""What every part may use: files among those of others, names as data, internal errors, processes, the
user's settings."""
