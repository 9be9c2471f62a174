"""Doing it: the requests, the sweeps, many images side by side, one image."""
