"""Aurite beside the bare driver: each row of the performance budget, measured against its floor in the same run.

``python -m bench`` prints the table; ``docs/explanation/performance.md`` says what each floor is. A group of rows is one module;
``catalogue.py`` lists them.
"""
