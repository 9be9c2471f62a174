"""The composition: the only place where a run is built from the settings, for every door.

What is built for one invocation is in `invocation`, what a warm environment keeps from one to the next in `warm`.
"""
