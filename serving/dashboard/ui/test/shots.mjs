// The pictures of the README, from a demo of 200 days: docs/images, 300 KB together at most.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { browser, serve } from './harness.mjs';

const dir = new URL('../../../../docs/images/', import.meta.url).pathname;
mkdirSync(dir, { recursive: true });
const service = await serve(['demo', '--days', '200', '--no-replay', '--paced', '1s', '--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0']);
const chrome = await browser();
const shots = [
  ['page-flow', '#/flow?node=entity:origin', 'light', 1280, 1375, 5000],
  ['page-models', '#/models?metric=log_loss&points=60&hide=tree,late.prior,late.no_change,late.static', 'dark', 1280, 760],
  ['page-drift', '#/drift?feature=weather.wind_gust', 'light', 1280, 760],
  ['page-phone', '#/models?points=30', 'dark', 390, 760],
];
for (const [name, hash, colorScheme, width, height, running] of shots) {
  while (!running && !service.text().includes('Still answering')) await new Promise((r) => setTimeout(r, 200));
  const context = await chrome.newContext({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce' });
  const page = await context.newPage();
  await page.goto(`${service.url}/${hash}`);
  await page.locator('table:visible').first().waitFor();
  await page.waitForTimeout(running || 2500);
  const path = `${dir}${name}.png`;
  await page.screenshot({ path });
  execFileSync('pngquant', ['--force', '--strip', '--speed', '1', '--output', path, '96', path]);
  await context.close();
}
await chrome.close();
await service.stop();
const total = readdirSync(dir).filter((f) => f.startsWith('page-')).reduce((a, f) => a + statSync(dir + f).size, 0);
console.log(`${total} bytes of pictures`);
if (total > 300 * 1024) throw new Error('more than 300 KB of pictures');
