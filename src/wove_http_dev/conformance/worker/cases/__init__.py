"""One room for each family of cases."""
