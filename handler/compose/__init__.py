"""The composition: the only place where a run is built from the settings, for every entry point."""
