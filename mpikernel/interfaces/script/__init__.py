"""The rank that runs the user's batch script, with a client in it."""
