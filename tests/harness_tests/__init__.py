"""The harness itself is tested here, since a guard that never bites guards nothing."""
