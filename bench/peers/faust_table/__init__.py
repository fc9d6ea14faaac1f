"""Stock Faust with its own tables."""
