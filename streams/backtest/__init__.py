"""Back-tests: what a set of rules does to a shop's past, and what another would have done instead."""
