"""What client and worker agree on: bytes in, values out."""
