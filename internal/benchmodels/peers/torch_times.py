"""Times PyTorch's single-event step of a 64-32 perceptron on a CSV file whose target is its last column: one JSON object {"torch mlp": ns} a line.

torch_times.py FILE LIMIT (0: all rows). Processor time of one prediction and one RMSprop step for each row, on one thread; rows are parsed, scaled and
turned into tensors beforehand, which favours PyTorch: Freshet's figure includes its scaling.
"""
import csv, gzip, json, sys, time

import torch

torch.set_num_threads(1)
torch.manual_seed(1)
path, limit = sys.argv[1], int(sys.argv[2])
with (gzip.open(path, "rt") if path.endswith(".gz") else open(path)) as f:
    rows = list(csv.reader(f))[1:]
rows = rows[: min(limit or 20000, 20000)]
labels = sorted({r[-1] for r in rows})
x = torch.tensor([[float(v) for v in r[:-1]] for r in rows])
x = (x - x.mean(0)) / x.std(0)
y = torch.tensor([[float(r[-1] == labels[-1])] for r in rows])

model = torch.nn.Sequential(
    torch.nn.Linear(x.shape[1], 64), torch.nn.LeakyReLU(0.01), torch.nn.Linear(64, 32), torch.nn.LeakyReLU(0.01), torch.nn.Linear(32, 1))
optimizer = torch.optim.RMSprop(model.parameters(), lr=0.003, alpha=0.999, eps=1e-6, foreach=False)
loss = torch.nn.BCEWithLogitsLoss()
examples = [(x[i : i + 1], y[i : i + 1]) for i in range(len(rows))]


def event(a, b):
    with torch.no_grad():
        model(a)
    optimizer.zero_grad()
    loss(model(a), b).backward()
    optimizer.step()


for a, b in examples[:200]:  # what is made at the first calls
    event(a, b)
begin = time.process_time()
for a, b in examples:
    event(a, b)
print(json.dumps({"torch mlp": (time.process_time() - begin) / len(examples) * 1e9}), flush=True)
