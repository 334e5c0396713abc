"""How arrays are divided among engines, and how they are kept in files."""
