"""``python -m trunkzoo_cli`` is ``zoo``; ``torchrun -m trunkzoo_cli`` needs it."""

from trunkzoo_cli.entry import main

if __name__ == "__main__":
    main()
