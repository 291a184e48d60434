"""One file for each way to find out who somebody is."""
