"""The table is set through Signals.set_micro_table()."""
