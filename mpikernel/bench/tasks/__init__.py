"""The bench of the task interface.

How many small tasks it does in a second, how soon it answers a single one, how well engines are filled, how quiet it is without tasks.
"""
