"""The engine of FunctionGraph: its context, its variables, the keys of its agency, SMN topics and a bucket of OBS.

Nothing here knows AWS. What signs a request is passed in, since that belongs to the cloud.
"""
