"""What the operator has set, wherever that was done.

Nothing else reads the environment. These modules know no HTTP.
"""
