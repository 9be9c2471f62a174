"""The composition: a run is built here from the settings, for any door, and nowhere else."""
