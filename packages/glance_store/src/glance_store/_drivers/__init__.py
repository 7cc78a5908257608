"""The drivers, one module each: a store class and its location class."""
