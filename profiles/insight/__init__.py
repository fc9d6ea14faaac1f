"""Statistics of customers and of all of them together, kept event by event: pure, exact, and a few operations each.

Counters are tallies (`tallies`): a customer's part is a function of her state, so it can be changed, taken back and added
up over partitions. `rhythm` and `repurchase`: when she buys it again. `pairs` and `pair_table`: what is bought together.
`change`: whether she behaves differently. `experiment`: who is held out, and the sums behind an effect. `nps` and `cases`:
what she says, and what was done about it. `cohorts`, `rfm`: where she stands. What turns counters into a model or a report
is in `streams.insight`.
"""
