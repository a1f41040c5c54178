// A small live project whose records are partly bad, and that has secrets in them.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { binary, serve } from './harness.mjs';

// loose is how a careless producer sees the topic: it checks nothing that matters.
const loose = `version: 1
project: shop
sources:
  orders: {time: at, fields: {id: string?, customer: string, amount: double, email: string?}}
  paid: {time: at, fields: {id: string, ok: bool}}
features:
  customer: {key: customer, n: {count: orders, over: 1h}}
`;

const project = (http, more = '') => `version: 1
project: shop
sources:
  orders:
    time: at
    fields: {id: string, customer: string, amount: double, email: string?}
    sensitive: [email]
    expect: [amount > 0]
  paid: {time: at, fields: {id: string, ok: bool}}
features:
  customer: {key: customer, spent: {sum: orders.amount, over: [1h, 24h]}, orders: {count: orders, over: 1h}}
models:
  pays: {task: binary, on: orders, id: id, use: [customer.*, orders.amount], label: {from: paid, by: id, value: ok, wait: 1h}}
serving: {grpc: "127.0.0.1:0", http: "${http}"${more}}
`;

export async function shop(http = '127.0.0.1:0', more = '') {
  const dir = mkdtempSync(join(tmpdir(), 'freshet-page-'));
  writeFileSync(join(dir, 'freshet.yaml'), project(http, more));
  const start = (at) => {
    writeFileSync(join(dir, 'freshet.yaml'), project(at, more));
    return serve(['up', 'freshet.yaml', '--kafka-port', '0'], { cwd: dir, until: 'embedded Kafka on' });
  };
  const service = await start(http);
  const produce = async (lines) => {
    const brokers = service.text().match(/embedded Kafka on ([\d.:]+)/)[1];
    writeFileSync(join(dir, 'loose.yaml'), loose);
    writeFileSync(join(dir, 'orders.jsonl'), lines.map((l) => JSON.stringify(l)).join('\n'));
    await promisify(execFile)(binary, ['produce', 'orders=orders.jsonl', '--project', 'loose.yaml', '--brokers', brokers], { cwd: dir });
  };
  return { ...service, dir, start, produce };
}
