"""The tests, by what must be running: core, laws, stories, golden and shell need nothing, the others real servers."""
