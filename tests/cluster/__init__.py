"""What `ipcluster` promises, driven for real."""
