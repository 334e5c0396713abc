"""The commands that a shell sees. They read command lines, call the package and print; nothing else is decided here."""
