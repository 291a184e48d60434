"""Puts the services on a machine, and takes them off again.

A plan is a list of steps. Each is checked and described before any is taken, may be taken again,
and can be undone if a later one fails.
"""
