"""Documented calls that image-reaper does not make, but other clients do: what they need to find their way."""
