"""Files and command lines of a stranger, made by code from fixed seeds and tried one by one.

`python -m hostile`, run in `tests/`, tries all of them and prints a summary. `test_hostile.py` does
the same as a test; by default it tries one case in eight.
"""
