"""Doing it, from the many to the one.

Messages are dispatched as requests, a sweep surveys all images, many images are dealt with side by side, and one image
is judged and then deleted, marked or left alone.
"""
