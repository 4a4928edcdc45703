"""What a person sees of a running worker, and steers it with: the control API and the page."""
