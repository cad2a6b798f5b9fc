"""The checks of selfcheck, a module for each kind of partner."""
