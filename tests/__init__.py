"""Tests of image-reaper."""
