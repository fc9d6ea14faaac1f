"""The commands of `regulars`, one module each: a thin `command` over functions of the other modules.

Modules here import nothing heavy at the top: `regulars --help` imports all of them.
"""
