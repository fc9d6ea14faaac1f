"""The pure core: profile state, order ledger, carts, interests, identity merge, triggers and their gates.

Same events in, same profiles and triggers out. Time is an argument; what the core wants done it returns, and what it
decided not to do it returns too, with the reason. It imports `schemas` and the standard library's pure parts only.
"""
