"""What a sweep finds before it does anything.

A project may have a million images. The survey keeps only those that are acted on, or reported one by one.
"""
