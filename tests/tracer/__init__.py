"""Tests of what runs in the target."""
