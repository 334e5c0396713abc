"""What a script holds: the client, its views, and the results that they hand out."""
