"""Real Keystone, Glance and Nova, run from their packages on this machine."""

from tests.openstack.lab import Lab

__all__ = ["Lab"]
