"""The commands that a shell sees."""
