"""The filter language of AIP-160 over the fields of products: parsed, checked, evaluated to a mask of rows.

Written by hand: the only Python package for the language (sqlalchemy-aip160) makes SQLAlchemy queries for
models of a database, and there is none to query here.
"""
