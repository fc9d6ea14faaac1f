"""Instructions for an event, counted: a guard against changes that make the core or the partition loop slower."""
