"""Names of the metrics of a comparison, and their directions."""

AUC, GAUC, LOG_LOSS, CALIBRATION, ECE = "auc", "gauc", "log_loss", "calibration", "ece"
NMAE, SMAPE, POISSON_LOSS = "nmae", "smape", "poisson_loss"
GINI, TWEEDIE_LOSS = "gini", "tweedie_loss"
AUC_ALL, CALIBRATION_ALL = "auc_all_rows", "calibration_all_rows"
"""Metrics of an output on a conditional space, computed on all rows from the true probabilities of a simulated log."""
HIGHER_IS_BETTER = {
    AUC: True,
    GAUC: True,
    LOG_LOSS: False,
    ECE: False,
    NMAE: False,
    SMAPE: False,
    POISSON_LOSS: False,
    GINI: True,
    TWEEDIE_LOSS: False,
    AUC_ALL: True,
}
"""Direction of each metric that can be better or worse; a calibration is best at 1 and has no direction."""
