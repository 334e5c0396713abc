"""Who is in the world: the role of each rank, and the communicators that join them."""
