"""A calibration as version 0.1 fitted it."""

from place_search.models import Calibration

CALIBRATION = Calibration(
    intercept=-9.0,
    weights=(4.0, 1.0, 0.4),
    threshold=0.6,
    data="rendered",
    same_pairs=1,
    different_pairs=1,
    precision=1.0,
    recall=1.0,
    auc=1.0,
    calibration_error=0.0,
)
