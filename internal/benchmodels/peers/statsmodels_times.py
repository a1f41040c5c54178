"""Times how statsmodels takes one more observation into a structural model of 14 states (local linear trend, six harmonics of a season of 12): one JSON object a line.

statsmodels_times.py OBSERVATIONS. Processor time of results.extend([y]) and results.append([y]) after so many observations, the best of three runs; extend starts a filter at the last state and keeps the
one new observation only, append filters all anew.
"""
import json, sys, time, warnings

import numpy as np
import statsmodels
import statsmodels.api as sm

warnings.simplefilter("ignore")
n = int(sys.argv[1])
rng = np.random.default_rng(1)
t = np.arange(n + 400)
y = np.cumsum(rng.normal(size=len(t)) * 0.3) + 5 * np.sin(2 * np.pi * t / 12) + rng.normal(size=len(t))
model = sm.tsa.UnobservedComponents(y[:n], "lltrend", freq_seasonal=[{"period": 12, "harmonics": 6}])
start = model.filter([1.0, 0.1, 0.001, 0.01])
assert model.k_states == 14, model.k_states


def best(update, times):
    least = float("inf")
    for _ in range(3):
        results, begin = start, time.process_time()
        for i in range(times):
            results = update(results, y[n + i : n + i + 1])
        least = min(least, (time.process_time() - begin) / times)
    return least * 1e9


print(json.dumps({"version": statsmodels.__version__, "extend": best(lambda r, y: r.extend(y), 300), "append": best(lambda r, y: r.append(y), 10)}), flush=True)
