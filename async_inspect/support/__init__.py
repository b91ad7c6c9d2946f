"""What every part may use: safe file access, untrusted text, internal errors, processes, the user's settings."""
