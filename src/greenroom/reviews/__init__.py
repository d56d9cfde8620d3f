"""Reviews: the people who look at what was handed in, and what they decide."""
