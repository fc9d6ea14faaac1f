"""Customer value models: will she order again, when, how often, and what will it be worth. Pure and of constant cost.

Start with `profiles.value.timing` (the story and its parameters), `alive` and `orders` (its figures), `history` (what is
remembered of a customer), `tallies` (what she adds to the counts that models are fitted from), `model` (the fitted document)
and `forecast` (all figures of one customer). Fits are made elsewhere; nothing here needs numpy or scipy.
"""
