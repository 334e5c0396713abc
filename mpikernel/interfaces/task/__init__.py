"""The task interface: the load-balanced queue."""
