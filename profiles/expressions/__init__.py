"""Conditions: expressions of the Common Expression Language over a customer's profile, compiled once into Python functions.

Start at `source.compile_at` (rules in, expression or located error out) and `expression.Expression`. `library` is the door
to the parser and type check, `syntax` its tree, `closures` what becomes of it, `values` the language's operators, `counting`
and `instants` what depends on the time. What is counted over a time is kept by `profiles.windows`; `profiles.view` is the
profile as expressions see it.
"""
