"""The cloud, as the rest sees it: the few calls that read and change its images, paged to the end.

Below the calls, one table says what differs between the image APIs, and another what the answers mean.
"""
