"""What the master shows to anybody: static directories, and how clients come to trust it."""
