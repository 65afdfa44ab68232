import numpy as np


class MotionEvaluator:
    """Position error and the error of the acceleration between consecutive frames."""

    def __init__(self):
        self.predicted = []
        self.truth = []

    def add(self, predicted, truth):
        self.predicted.extend(predicted)
        self.truth.extend(truth)

    def __len__(self):
        return len(self.predicted)

    def position_error(self):
        return float(np.linalg.norm(np.stack(self.predicted) - np.stack(self.truth), axis=-1).mean())

    def acceleration_error(self):
        second = np.diff(np.stack(self.predicted) - np.stack(self.truth), n=2, axis=0)
        return float(np.linalg.norm(second, axis=-1).mean())
