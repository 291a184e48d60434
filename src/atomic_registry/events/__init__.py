"""The change log as it goes on: one follower for each process, and everybody who listens to it."""
