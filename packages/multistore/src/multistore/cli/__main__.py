"""``python -m multistore.cli``."""

from multistore.cli import main

if __name__ == "__main__":
    main()
