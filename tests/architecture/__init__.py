"""What of the house's rules can be read off the code itself."""
