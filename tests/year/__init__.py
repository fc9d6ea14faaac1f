"""A year of a made-up shop, run through the engine and checked against plain queries that share no code with it."""
