"""The worker service: accepts connections and serves their requests."""
