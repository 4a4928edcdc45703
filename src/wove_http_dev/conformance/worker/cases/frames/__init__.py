"""Cases about command frames and the event frames that answer them."""
