"""Write the results of a check: to the terminal, as JSON, as JUnit XML."""
