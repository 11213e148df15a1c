"""The behaviours of the suite, by subject; the first line of each test is what is promised."""
