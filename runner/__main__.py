"""`python -m runner` is the `mm` command."""

from runner.cli import main

if __name__ == "__main__":
    main()
