"""The HTTP kit: no noun of the product is known here."""
