"""What is shown on a terminal while something goes on, and wiped off at its end.

At first that the command is loaded, then how far a run has come.
"""
