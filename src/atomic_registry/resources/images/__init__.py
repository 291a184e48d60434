"""Image streams, their tags and images: views of the content, with no copy of it."""
