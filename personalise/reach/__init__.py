"""What goes out to customers."""
