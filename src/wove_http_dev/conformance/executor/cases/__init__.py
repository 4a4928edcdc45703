"""One room for each family of cases, or half of one where it is large."""
