"""What each engine gives a run: the shapes of its events, and its services, made from the settings.

`engine` is the seam; every other module is one engine, and a door knows just one of them.
"""
