"""Demo partners: small sites to log in to, each of which works or fails in its own way."""
