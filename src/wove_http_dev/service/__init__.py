"""What happens to one request, from accept to the last byte of its reply."""
