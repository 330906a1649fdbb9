"""Suites: recipes × tasks × training seeds under equal budgets, resumed cell by cell, compared with statistics."""
