"""What the operator has set: in the environment, in a secret, or in FunctionGraph's context.

Nothing else reads the environment. These modules know no HTTP.
"""
