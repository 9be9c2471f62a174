"""What the operator has set, from whichever place.

Nothing else reads the environment. It knows no HTTP.
"""
