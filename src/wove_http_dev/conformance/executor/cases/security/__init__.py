"""Cases about credentials, certificates and redirects."""
