"""What is lost across technologies."""
