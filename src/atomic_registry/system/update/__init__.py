"""Brings an installed machine to another version, and back.

Each version is a tree of its own below /opt/atomic-registry; which of them runs is a link.
"""
