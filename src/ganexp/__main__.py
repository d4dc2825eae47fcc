"""Run the command line: python -m ganexp."""

from ganexp.cli import main

if __name__ == "__main__":
    main()
