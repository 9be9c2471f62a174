"""Who we are to the cloud, and what proves it.

The seam is `Identity`; a Keystone token is one, and everything that knows Keystone's own types is in `keystone`.
"""
