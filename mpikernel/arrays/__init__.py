"""Arrays and lists in parts: how they are cut for engines and put together again."""
