"""The load-balanced queue: which engine gets which task, and when."""
