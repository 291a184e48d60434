"""`python -m atomic_registry` is the command `atomic-registry`."""

from atomic_registry.cli.main import main

if __name__ == "__main__":
    main()
