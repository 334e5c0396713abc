"""What has been done, written down as it happens: records and the stores that keep them."""
