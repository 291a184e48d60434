"""Commands for objects of any kind; which kinds there are, the master tells."""
