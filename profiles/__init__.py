"""The pure core: profile state, order ledger, carts, interests, conditions and segments, triggers and gates.

Start with `profiles.state` (what is remembered), then `profiles.engine` (`step` and `fire`: how it changes and what comes
of it). Time is an argument, everything it wants done it returns; no I/O, no clock, no randomness.
"""
