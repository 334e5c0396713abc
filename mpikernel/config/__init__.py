"""What a run is told before it starts: settings and their sources, command lines, cluster directory, launcher's environment."""
