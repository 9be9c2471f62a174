"""The cloud: its images, the calls that read and change them, what its answers mean, and who we are to it."""
