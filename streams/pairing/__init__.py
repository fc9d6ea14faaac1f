"""What is bought together, counted over all orders by a program of its own: `regulars pairs`.

`baskets` keeps the counts in line with orders as they are placed, changed and cancelled; `state` puts them and the positions in
the topics into one file, so that a run that ends anywhere goes on exactly there.
"""
