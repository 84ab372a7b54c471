"""The live web page: a process of its own that reads the telemetry page and the journal."""
