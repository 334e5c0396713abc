"""What tests of real worlds stand on: environments, guarded runs, and what a run may not leave behind."""
