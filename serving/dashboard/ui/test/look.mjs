// node test/look.mjs DIR [URL]: pictures of every view, for people who change the page.
import { mkdirSync } from 'node:fs';
import { browser, demo } from './harness.mjs';

const [dir, url] = process.argv.slice(2);
mkdirSync(dir, { recursive: true });
const service = url ? { url, stop: async () => {} } : await demo();
const chrome = await browser();
const views = {
  flow: '#/flow', node: '#/flow?node=entity:origin', models: '#/models', features: '#/features?entity=origin&key.origin=JFK&feature=origin.delay_1h', drift: '#/drift?feature=weather.pressure', try: '#/try', letters: '#/letters',
};
for (const [theme, width] of [['light', 1280], ['dark', 1280], ['light', 360]]) {
  const context = await chrome.newContext({ viewport: { width, height: 900 }, colorScheme: theme });
  const page = await context.newPage();
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && console.log(theme, width, m.text()));
  page.on('pageerror', (e) => console.log(theme, width, e.stack));
  for (const [name, hash] of Object.entries(views)) {
    await page.goto(`${service.url}/${hash}`);
    await page.locator('.card').first().waitFor();
    if (name === 'features') await page.getByRole('button', { name: 'Look up' }).click();
    if (name === 'try') { await page.getByRole('button', { name: 'Take a recent event' }).click(); await page.getByRole('button', { name: 'Predict' }).click(); }
    await page.waitForTimeout(1800);
    await page.screenshot({ path: `${dir}/${name}-${theme}-${width}.png`, fullPage: true });
  }
  await context.close();
}
await chrome.close();
await service.stop();
