"""Where every team starts."""


def do_things() -> None:
    print("Doing things!")


if __name__ == "__main__":
    do_things()
