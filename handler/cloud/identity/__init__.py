"""Who we are to the cloud, and what proves it."""
