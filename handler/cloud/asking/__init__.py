"""How the cloud is asked: how fast, and which error a request ends with that fails.

Nothing here knows a certain service or an image.
"""
