"""The shell: sockets, time, files and operators around the compiled core."""
