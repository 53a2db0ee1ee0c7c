"""The round trip to Kaggle: what is carried there, what runs there, and what goes up and comes down."""
