"""What the three tasks do, the same for every contestant: nothing that takes time."""


def load(rows: int) -> list[float]:
    return [float(i) for i in range(rows)]


def train(c: float, data: list[float]) -> float:
    return c * sum(data)


def evaluate(model: float, data: list[float]) -> float:
    return model / len(data)
