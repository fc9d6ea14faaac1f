"""A simulated shop whose customers answer to messages, so that what a report finds can be held against the truth.

`world` is the shop and its customers, drawn from a seed, `voices` what they say when asked; `run` plays it day by day through
the embedded engine: what is sent on one day is answered on the next ones, what is withheld is not. Nothing here is data.
"""
