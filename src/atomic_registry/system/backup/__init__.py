"""Backups: one consistent state of a registry, outside of it, and the way back.

A backup names blobs by their digests, so that those of earlier backups need not be copied again.
"""
