"""`regulars relay`: triggers to an HTTP endpoint, signed, retried, in order for each customer, lost never."""
