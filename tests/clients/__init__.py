"""Clients that nobody here wrote, unmodified, on the fake cloud. What counts is what the cloud holds afterwards."""
