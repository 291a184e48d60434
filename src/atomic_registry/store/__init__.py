"""Adapters of the storage ports: metadata in a database, blobs on a disk."""
