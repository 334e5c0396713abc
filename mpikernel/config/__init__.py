"""What a run is told before it starts: the settings, their spec, and the cluster directory they come from."""
