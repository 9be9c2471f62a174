"""Connections, as all rooms above make them: fenced, bounded in time, and with the authorities that they trust.

The only part of the ground that speaks HTTP, by the hand of requests.
"""
