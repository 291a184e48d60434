"""Push, pull, tags and referrers: what the registry does, apart from how it is spoken to or stored."""
