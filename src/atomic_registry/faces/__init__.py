"""HTTP faces of the services; they never import each other."""
