"""Doing it: requests and sweeps, many images side by side, one image."""
