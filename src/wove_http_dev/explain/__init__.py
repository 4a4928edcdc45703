"""What a person is shown when something went wrong, or would go wrong."""
