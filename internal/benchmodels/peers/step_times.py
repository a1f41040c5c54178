"""Times River's ADWIN and half-space trees on drawn values, and VW on a file of sparse rows: one JSON object {"NAME": ns} a line.

step_times.py FILE. Processor time; VW reads its binary cache, which the first pass writes and which it then passes over several times.
"""
import json, os, random, sys, time


def report(name, seconds, n):
    print(json.dumps({name: seconds / n * 1e9}), flush=True)


from river import anomaly, drift

rng = random.Random(1)
errors = [float(rng.random() < 0.2) for _ in range(50_000)]
detector = drift.ADWIN()
begin = time.process_time()
for e in errors:
    detector.update(e)
report("river adwin", time.process_time() - begin, len(errors))

rows = [{f"c{j}": rng.random() for j in range(8)} for _ in range(5_000)]
model = anomaly.HalfSpaceTrees(n_trees=10, height=8, seed=1)
begin = time.process_time()
for x in rows:
    model.score_one(x)
    model.learn_one(x)
report("river half_space_trees", time.process_time() - begin, len(rows))

try:
    from vowpalwabbit import Workspace
except ImportError:
    sys.exit()
path = sys.argv[1]
with open(path) as f:
    n = sum(1 for _ in f)


def seconds(update, passes):
    begin = time.process_time()
    Workspace(f"-d {path} --cache_file {path}.cache -b 20 --loss_function logistic --passes {passes} --holdout_off --quiet {update}").finish()
    return time.process_time() - begin


for name, update in {"vw": "--sgd", "vw_ftrl": "--ftrl"}.items():
    seconds(update, 2)  # writes the cache
    short, long = (min(seconds(update, p) for _ in range(3)) for p in (2, 22))
    report(name, (long - short) / 20, n)
os.remove(path + ".cache")
