"""Holds the catalogue and finds candidates in it."""
