"""The bench of the task interface: how many small tasks a second, how well engines are filled, and how quiet it is when there are none."""
