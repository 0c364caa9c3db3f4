"""What Aurite 0.4 left behind, told in today's words."""
