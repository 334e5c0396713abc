"""The script interface: runs the user's batch script, with a Client in it."""
