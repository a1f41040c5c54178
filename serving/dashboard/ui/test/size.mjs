// Fails when what a browser loads is more than 100 KB, gzip and all files together.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const dist = new URL('../../dist/', import.meta.url).pathname;
const limit = 100 * 1024;
let total = 0;
for (const name of readdirSync(dist, { recursive: true }).sort()) {
  if (!statSync(dist + name).isFile()) continue;
  const n = gzipSync(readFileSync(dist + name), { level: 9 }).length;
  total += n;
  console.log(`${String(n).padStart(7)}  ${name}`);
}
console.log(`${String(total).padStart(7)}  bytes in all, of at most ${limit}`);
if (!total || total > limit) process.exit(1);
