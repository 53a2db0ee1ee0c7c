"""What is learned: networks, their weights and their losses."""
