"""One rank's life: settings, world, roles, loop, end. The only place that knows every role, and the only one that aborts."""
