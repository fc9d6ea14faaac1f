"""What is on the wire: canonical events, trigger records, the public profile document, money and time.

Start with `schemas.events` (what comes in), `schemas.outputs` (what goes out) and `schemas.decode` (bytes to events).
This room imports nothing of the others, does no I/O and reads no clock.
"""
