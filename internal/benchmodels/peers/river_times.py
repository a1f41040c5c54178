"""Times River's models and VW on a CSV file whose target is its last column: one JSON object {"river MODEL": ns} a line.

river_times.py FILE LIMIT [NAMES] (0: all rows; names separated by commas, else all but softmax). Processor time of predict and learn, rows parsed beforehand; slow models see the first rows only.
"""
import csv, gzip, json, sys, time

path, limit = sys.argv[1], int(sys.argv[2])
with (gzip.open(path, "rt") if path.endswith(".gz") else open(path)) as f:
    rows = list(csv.DictReader(f))
rows = rows[:limit] if limit else rows
target = list(rows[0])[-1]
labels = sorted({r[target] for r in rows})
data = [({k: float(v) for k, v in r.items() if k != target}, r[target] if len(labels) > 2 else r[target] == labels[-1]) for r in rows]


def report(name, seconds, n):
    print(json.dumps({f"river {name}": seconds / n * 1e9}), flush=True)


from river import ensemble, forest, linear_model, naive_bayes, neighbors, optim, preprocessing, tree

MODELS = {
    "logistic": (lambda: preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD(0.005)), 50000),
    "softmax": (lambda: preprocessing.StandardScaler() | linear_model.SoftmaxRegression(), 50000),
    "gaussian_nb": (naive_bayes.GaussianNB, 10000),
    "hoeffding_tree": (tree.HoeffdingTreeClassifier, 20000),
    "hoeffding_adaptive_tree": (lambda: tree.HoeffdingAdaptiveTreeClassifier(seed=1), 10000),
    "knn": (lambda: neighbors.KNNClassifier(n_neighbors=5), 4000),
    "leveraging_bagging": (lambda: ensemble.LeveragingBaggingClassifier(tree.HoeffdingTreeClassifier(), n_models=10, seed=1), 3000),
    "adaptive_random_forest": (lambda: forest.ARFClassifier(n_models=10, seed=1), 4000),
    "streaming_random_patches": (lambda: ensemble.SRPClassifier(n_models=10, seed=1), 1500),
    "passive_aggressive": (lambda: preprocessing.StandardScaler() | linear_model.PAClassifier(), 50000),
    "mondrian_forest": (lambda: forest.AMFClassifier(n_estimators=10, seed=1), 3000),
}
asked = sys.argv[3].split(",") if len(sys.argv) > 3 else [m for m in MODELS if m != "softmax"]
for name in asked:
    make, most = MODELS[name]
    model, part = make(), data[:most]
    begin = time.process_time()
    for x, y in part:
        model.predict_one(x)
        model.learn_one(x, y)
    report(name, time.process_time() - begin, len(part))
