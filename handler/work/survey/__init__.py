"""What a sweep finds before it does anything.

A project may have a million images. The survey holds only those that something is done with, or said of by name.
"""
