"""What is kept when nothing but stain, place or order changes."""
