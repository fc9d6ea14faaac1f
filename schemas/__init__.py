"""What is on the wire: canonical events, triggers, the public profile document, money, codecs and adapters from foreign formats.

This room knows the standard library and msgspec, and neither of the other two rooms. It does no input or output and reads no clock.
"""
