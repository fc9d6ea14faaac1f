"""From measured costs to a plan: coefficients, a simulation of partitions and shards, what a rate needs and costs, the page."""
