"""The cloud: the calls that read and change its images, what its answers mean, and who we are to it."""
