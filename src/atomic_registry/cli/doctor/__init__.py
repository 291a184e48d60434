"""`atomic-registry doctor`: takes the way of a client, hop by hop, and names the one that fails."""
