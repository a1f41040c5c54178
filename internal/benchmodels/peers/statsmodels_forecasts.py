"""Forecasts one series with statsmodels' filters, parameters fitted to the first part: one JSON object {"statsmodels DATA MODEL WHAT": figure} a line.

statsmodels_forecasts.py FILE DATA TARGET LIMIT FIRST SEASON: the first LIMIT values (0: all), of which parameters are fitted to the first FIRST. WHAT is 1 or 24 (mean
absolute error of so many steps, origins over the second part), or extend (processor time of taking in one value, ns).
"""
import csv, gzip, json, sys, time, warnings

import numpy as np
import statsmodels.api as sm
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.holtwinters import ExponentialSmoothing

warnings.simplefilter("ignore")
path, data, target, limit, first, season = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6])
with (gzip.open(path, "rt") if path.endswith(".gz") else open(path)) as f:
    y = np.array([float(r[target]) for r in csv.DictReader(f)])
y = y[:limit] if limit else y
H, n = 24, len(y)
fitted = y[:first]


def report(model, what, x):
    print(json.dumps({f"statsmodels {data} {model} {what}": float(x)}), flush=True)


def score(model, one, ahead, back):
    """one: one-step forecasts of y[first:]; ahead(t): the 24 forecasts after y[t]; back: from the model's scale."""
    report(model, 1, np.mean(np.abs(y[first:] - back(one))))
    errors = [np.mean(np.abs(y[t + 1:t + 1 + H] - back(ahead(t)))) for t in range(first - 1, n - H)]
    report(model, H, np.mean(errors))


def statespace(model, make, log):
    scale, back = (np.log, np.exp) if log else (lambda x: x, lambda x: x)
    z = scale(y)
    params = make(scale(fitted)).fit(disp=False, maxiter=50).params
    whole = make(z).filter(params)
    one = whole.predict(start=first, end=n - 1)
    mod = whole.model.ssm
    # The filter's predicted states are those of one pass: h steps ahead by the transition, as forecast() does.
    states, T, Z = whole.predicted_state, mod["transition"], mod["design"]
    T, Z = (T[:, :, 0] if T.ndim == 3 else T), (Z[:, :, 0] if Z.ndim == 3 else Z)
    c, d = np.ravel(mod["state_intercept"][..., 0]) if mod["state_intercept"].size else 0, np.ravel(mod["obs_intercept"])[0]

    def ahead(t):
        a, out = states[:, t + 1], np.empty(H)
        for h in range(H):
            out[h] = (Z @ a)[0] + d
            a = T @ a + c
        return out

    score(model, one, ahead, back)
    part = make(z[:first]).filter(params)
    begin = time.process_time()
    steps = 30
    for t in range(first, first + steps):
        part = part.extend(z[t:t + 1])
    report(model, "extend", (time.process_time() - begin) / steps * 1e9)


# The airline model for months; for hours, whose variance does not grow with the level, one with an autoregressive part.
log = season == 12
order = (0, 1, 1) if season == 12 else (1, 1, 1)
statespace("sarima", lambda z: sm.tsa.SARIMAX(z, order=order, seasonal_order=(0, 1, 1, season)), log)
statespace("unobserved_components", lambda z: sm.tsa.UnobservedComponents(z, level="lltrend", seasonal=season), log)
holt = dict(error="mul" if log else "add", trend="add" if log else None, seasonal="mul" if log else "add", seasonal_periods=season)

params = ETSModel(fitted, **holt).fit(disp=False).params
smoothed = ETSModel(y, **holt).smooth(params)
one = smoothed.fittedvalues[first:]
errors = [np.mean(np.abs(y[t + 1:t + 1 + H] - ETSModel(y[:t + 1], **holt).smooth(params).forecast(H))) for t in range(first - 1, n - H)]
report("ets", 1, np.mean(np.abs(y[first:] - one)))
report("ets", H, np.mean(errors))

kind = {k: holt[k] for k in ("trend", "seasonal", "seasonal_periods")}
rates = ExponentialSmoothing(y[:first], initialization_method="estimated", **kind).fit().params
start = dict(initialization_method="known", initial_level=rates["initial_level"], initial_seasonal=rates["initial_seasons"])
fixed = dict(smoothing_level=rates["smoothing_level"], smoothing_seasonal=rates["smoothing_seasonal"], optimized=False)
if kind["trend"]:
    start["initial_trend"], fixed["smoothing_trend"] = rates["initial_trend"], rates["smoothing_trend"]


def holt_winters(part):
    return ExponentialSmoothing(part, **start, **kind).fit(**fixed)


errors = [np.mean(np.abs(y[t + 1:t + 1 + H] - holt_winters(y[:t + 1]).forecast(H))) for t in range(first - 1, n - H)]
report("holt_winters", 1, np.mean(np.abs(y[first:] - holt_winters(y).fittedvalues[first:])))
report("holt_winters", H, np.mean(errors))
