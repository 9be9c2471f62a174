"""The engine of FunctionGraph: its context, its variables, the keys of the function's agency, and SMN topics.

Nothing here knows AWS. What signs a request is passed in, since that belongs to the cloud.
"""
