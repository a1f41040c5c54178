// Starts the real binary and a real Chromium.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

export const binary = process.env.FRESHET_BIN || new URL('../../../../bin/freshet', import.meta.url).pathname;

/** serve starts a service and resolves when it tells its HTTP address, or prints until. */
export function serve(args, { until, cwd } = {}) {
  const child = spawn(binary, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  const ended = new Promise((done) => child.once('exit', done));
  const stop = async () => { child.kill('SIGINT'); const t = setTimeout(() => child.kill('SIGKILL'), 15000); await ended; clearTimeout(t); };
  return new Promise((done, fail) => {
    const late = setTimeout(() => { child.kill('SIGKILL'); fail(new Error(`${args[0]} did not get ready:\n${text}`)); }, 120000);
    const heard = (b) => {
      text += b;
      const url = text.match(/HTTP on (http:\/\/[\d.]+:\d+)/)?.[1];
      if (url && (!until || text.includes(until))) { clearTimeout(late); done({ url, stop, child, text: () => text }); }
    };
    child.stdout.on('data', heard);
    child.stderr.on('data', heard);
    child.once('exit', (code) => { clearTimeout(late); fail(new Error(`${args[0]} ended with ${code}:\n${text}`)); });
  });
}

/** demo is a short seeded demo that has ended and still answers. */
export const demo = (days = 30) => serve(['demo', '--days', String(days), '--no-replay', '--paced', '1s', '--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0'], { until: 'Still answering' });

export function browser() {
  const at = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((p) => p && existsSync(p));
  if (!at) throw new Error('no Chromium: set CHROMIUM to its path, or install it (Debian: apt-get install chromium)');
  return chromium.launch({ executablePath: at, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--font-render-hinting=none'] });
}
