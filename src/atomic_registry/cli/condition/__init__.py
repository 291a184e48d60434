"""What `atomic-registry status` tells, part by part."""
