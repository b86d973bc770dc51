"""Tests of the loopback Discord. A package, so that its modules keep their names to themselves."""
