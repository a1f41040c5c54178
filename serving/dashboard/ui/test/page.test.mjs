// The page in a real Chromium, in front of the real binary: a short demo of the flights, and a small live shop that gets bad records.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { browser, demo } from './harness.mjs';
import { shop } from './shop.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const views = {
  Flow: '#/flow?node=entity:origin', Models: '#/models', Features: '#/features?entity=origin&key.origin=JFK&feature=origin.delay_1h',
  Drift: '#/drift?feature=weather.pressure', 'Try it': '#/try', 'Dead letters': '#/letters',
};
const secret = 'canary@example.org';
let chrome, flights, market;

before(async () => {
  [chrome, flights, market] = await Promise.all([browser(), demo(30), shop()]);
}, { timeout: 180000 });

after(async () => {
  await chrome?.close();
  await Promise.all([flights?.stop(), market?.stop()]);
}, { timeout: 60000 });

/** open gives a page that keeps what it should not do: errors, outside requests, violations of the policy. */
async function open(service, hash = '', options = {}) {
  const { allow = [], ...rest } = options;
  const context = await chrome.newContext({ viewport: { width: 1280, height: 900 }, ...rest });
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', (e) => faults.push(`error: ${e.message}`));
  page.on('console', (m) => { if (['error', 'warning'].includes(m.type()) && !allow.some((a) => m.text().includes(a))) faults.push(`console: ${m.text()}`); });
  page.on('request', (r) => { if (!r.url().startsWith(service.url) && !r.url().startsWith('data:')) faults.push(`outside: ${r.url()}`); });
  await page.addInitScript(() => document.addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI}`)));
  await page.goto(`${service.url}/${hash}`);
  await page.locator('h1').waitFor();
  return { page, context, faults, done: async () => { await context.close(); assert.deepEqual(faults, []); } };
}

/** check lets axe look at the page as it is. */
async function check(page, what) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  assert.deepEqual(violations.map((v) => `${what}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => `${n.html.slice(0, 160)} ${n.failureSummary ?? ''}`).join(' | ')}`), []);
}

const settled = (page) => page.waitForFunction(() => document.querySelector('.card, .answer') && ![...document.querySelectorAll('.waiting')].some((w) => w.textContent.startsWith('Reading')));
const fits = async (page, what) => {
  const [content, window] = await page.evaluate(() => [document.scrollingElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(content <= window, `${what}: content of ${content} px in ${window}`);
};

for (const theme of ['light', 'dark']) {
  for (const width of [360, 768, 1280]) {
    test(`every view, ${theme}, ${width} px: no violation, no error, nothing too wide`, { timeout: 120000 }, async () => {
      const { page, done } = await open(flights, '', { colorScheme: theme, viewport: { width, height: 800 } });
      for (const [name, hash] of Object.entries(views)) {
        await page.goto(`${flights.url}/${hash}`);
        await page.getByRole('link', { name, exact: false }).and(page.locator('[aria-current=page]')).waitFor();
        await settled(page);
        if (name === 'Features') {
          await page.getByRole('button', { name: 'Look up' }).click();
          await page.getByRole('heading', { name: /origin JFK is known/ }).waitFor();
        }
        if (name === 'Try it') {
          await page.getByRole('button', { name: 'Take a recent event' }).click();
          await page.getByRole('button', { name: 'Predict' }).click();
          await page.getByRole('heading', { name: /Probability/ }).waitFor();
        }
        await fits(page, `${name} at ${width}`);
        await check(page, `${name} ${theme} ${width}`);
      }
      await done();
    });
  }
}

test('Flow tells all that was read, and draws the lineage with definitions', async () => {
  const { page, done } = await open(flights, '#/flow');
  await page.getByRole('heading', { level: 1, name: /All is read: \d+,\d+ events|Everything flows/ }).waitFor();
  const overview = await (await fetch(`${flights.url}/v1/overview`)).json();
  const scheduled = overview.status.sources.find((s) => s.name === 'scheduled').accepted.toLocaleString('en');
  await page.getByRole('row', { name: new RegExp(`^scheduled .*${scheduled}`) }).first().waitFor();
  await page.locator('.lineage').getByRole('button', { name: /^origin/ }).click();
  assert.match(page.url(), /node=entity(%3A|:)origin/);
  assert.match(await page.getByRole('region', { name: 'Definition of origin' }).innerText(), /overdue: \{open: scheduled, due: departs, until: \[departed, cancelled\], by: id\}/);
  assert.ok(await page.locator('.lineage path.on').count() >= 4, 'lines of the chosen node');
  await page.locator('.definition').getByRole('button', { name: 'arrived' }).click();
  assert.match(await page.getByRole('region', { name: 'Definition of arrived' }).innerText(), /arr_delay: double/);
  await done();
});

test('Models shows what the API says: curve, table, calibration, version', async () => {
  const { page, done } = await open(flights, '#/models?model=late&metric=roc_auc');
  const model = (await (await fetch(`${flights.url}/v1/models/late`)).json());
  const auc = model.model.scores.find((s) => s.name === 'roc_auc').value.toFixed(3).replace('0.', '.');
  await page.getByRole('heading', { level: 1, name: new RegExp(`late: AUC \\${auc}`) }).waitFor();
  const chart = page.getByRole('img', { name: /AUC over event time from 1 Jan 2013/ });
  await chart.waitFor();
  const drawn = await chart.locator('canvas').evaluate((c) => { const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height); return data.some((v, i) => i % 4 === 3 && v > 0); });
  assert.ok(drawn, 'the chart is drawn');
  await page.getByText('Show as a table').first().click();
  const history = await (await fetch(`${flights.url}/v1/history?model=late&points=60`)).json();
  const rows = page.locator('.scroll[aria-label^="AUC over"]').getByRole('row');
  assert.equal(await rows.count(), history.members[0].points.length + 1);
  await page.getByRole('button', { name: /^tree/ }).click();
  assert.match(page.url(), /hide=[^&]*tree/);
  await page.getByRole('img', { name: /Calibration of late: over [\d,]+ labels/ }).waitFor();
  await page.getByText(model.state_sha256).waitFor();
  await page.reload();
  await page.getByRole('button', { name: /^tree/, pressed: false }).waitFor();
  await done();
});

test('a model is frozen and thawed, after a question', { timeout: 60000 }, async () => {
  const { page, done } = await open(flights, '#/models');
  const row = page.getByRole('row', { name: /^tree/ });
  const freeze = row.getByRole('button', { name: 'Freeze tree' });
  await freeze.click();
  await page.getByRole('dialog', { name: 'Freeze tree?' }).waitFor();
  await check(page, 'the question');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Freeze tree');
  assert.equal((await model('tree')).frozen, false, 'cancelled');
  await freeze.click();
  await page.getByRole('dialog').getByRole('button', { name: 'Freeze', exact: true }).click();
  await page.getByText('Freeze of tree is written').waitFor();
  await row.getByText('frozen').waitFor({ timeout: 20000 });
  assert.equal((await model('tree')).frozen, true);
  await row.getByRole('button', { name: 'Thaw tree' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Thaw', exact: true }).click();
  await row.getByText('answers').waitFor({ timeout: 20000 });
  assert.equal((await model('tree')).frozen, false);
  await done();
});

const model = async (name) => (await (await fetch(`${flights.url}/v1/models/${name}`)).json()).model;

test('pages of other sites cannot freeze a model', async () => {
  const r = await fetch(`${flights.url}/v1/control`, { method: 'POST', headers: { Origin: 'http://evil.example', 'Sec-Fetch-Site': 'cross-site' }, body: JSON.stringify({ model: 'late', verb: 'freeze' }) });
  assert.equal(r.status, 403);
  assert.equal((await model('late')).frozen, false);
});

test('Features looks up, says what is not known, and shows distributions', async () => {
  const { page, done } = await open(flights, '#/features?entity=hub', { allow: ['400', '404'] });
  await page.getByLabel('origin', { exact: true }).fill('JFK');
  await page.getByLabel('carrier', { exact: true }).fill('B6');
  await page.getByRole('button', { name: 'Look up' }).click();
  await page.getByRole('heading', { name: /hub JFK · B6 is known/ }).waitFor();
  const data = await (await fetch(`${flights.url}/v1/features`, { method: 'POST', body: JSON.stringify({ features: ['hub.*'], rows: [{ keys: { origin: 'JFK', carrier: 'B6' } }] }) })).json();
  const departures = data.columns.find((c) => c.name === 'hub.departures').values[0];
  await page.getByRole('row', { name: new RegExp(`hub.departures.* ${departures} last 1 h`) }).waitFor();
  await page.getByLabel('carrier', { exact: true }).fill('XX');
  await page.getByRole('button', { name: 'Look up' }).click();
  await page.getByRole('heading', { name: /hub JFK · XX was never seen/ }).waitFor();
  await page.getByLabel('Entity type').selectOption('number');
  await page.getByLabel('carrier', { exact: true }).fill('B6');
  await page.getByLabel('flight', { exact: true }).fill('many');
  await page.getByRole('button', { name: 'Look up' }).click();
  await page.getByRole('alert').filter({ hasText: 'flight' }).waitFor();
  await page.getByRole('img', { name: /Distribution of / }).waitFor();
  await done();
});

test('Drift ranks as the API does', async () => {
  const { page, done } = await open(flights, '#/drift');
  const d = (await (await fetch(`${flights.url}/v1/drift`)).json()).triggers[0];
  await page.getByRole('heading', { level: 1, name: new RegExp(`${d.drifted} of ${d.features.length} features changed`) }).waitFor();
  const names = await page.getByRole('region', { name: /by score against threshold/ }).locator('tbody th button').evaluateAll((b) => b.map((x) => x.firstChild.textContent));
  assert.deepEqual(names, d.features.map((f) => f.name));
  await page.getByRole('button', { name: 'weather.pressure' }).click();
  await page.getByRole('img', { name: /Drift of weather.pressure over \d+ windows/ }).waitFor();
  await page.getByText(/Population stability index of each finished window.* alerts ask for more than .250/).waitFor();
  await page.getByLabel('Only what changed').check();
  assert.match(page.url(), /only=drifted/);
  assert.equal(await page.getByRole('region', { name: /by score against threshold/ }).locator('tbody tr').count(), d.drifted);
  await done();
});

test('Drift names measures, and the detectors with level, direction and time', async () => {
  const { page, done } = await open(flights, '#/drift');
  const d = await (await fetch(`${flights.url}/v1/drift`)).json();
  const measures = await page.getByRole('region', { name: /by score against threshold/ }).locator('tbody tr td:nth-of-type(2)').allTextContents();
  assert.deepEqual(measures, d.triggers[0].features.map((f) => f.measure));
  const rows = await page.getByRole('region', { name: 'What the detector on the loss' }).locator('tbody tr').all();
  assert.equal(rows.length, d.models.length);
  for (const [i, m] of d.models.entries()) {
    const cells = await rows[i].locator('th, td').allTextContents();
    assert.deepEqual(cells.slice(0, 2), [m.name, 'adwin']);
    assert.match(cells[2], { none: /steady/, warning: /warning/, drift: /drift/ }[m.level]);
    assert.equal(cells[3], { up: 'became worse', down: 'became better', '': '–' }[m.direction]);
    assert.equal(cells[4] === '–', !m.at, `${m.name}: ${cells[4]} for ${m.at}`);
    assert.equal(cells[5], String(m.changes));
  }
  await done();
});

test('Drift shows what other measures and detectors say', async () => {
  const { page, done } = await open(flights, '#/drift');
  await page.route('**/v1/drift*', async (route) => {
    const body = await (await route.fetch()).json();
    const [t] = body.triggers;
    t.features = [{ ...t.features[0], name: 'weather.pressure', measure: 'wasserstein', score: 3.2, threshold: 0.2, alert: 0.5, drifted: true }, { ...t.features[1], measure: 'ks', score: 0.02, threshold: 0.1, alert: 0.25, drifted: false }];
    const at = '2013-01-09T05:00:00Z';
    body.models = [{ ...body.models[0], detector: 'ddm', measure: 'error', level: 'warning', direction: 'up', at, changes: 2, warnings: 3, loss: 0.21 },
      { ...body.models[1], detector: 'page_hinkley', level: 'drift', direction: 'down', at, changes: 1, warnings: 0 }];
    await route.fulfill({ json: body });
  });
  await page.reload();
  const losses = page.getByRole('region', { name: 'What the detector on the loss' });
  await losses.getByText('page_hinkley').waitFor();
  const cells = await losses.locator('tbody tr').first().locator('th, td').allTextContents();
  assert.deepEqual(cells.slice(1, 2).concat(cells.slice(3, 8)), ['ddm', 'became worse', '9 Jan 2013, 05:00', '2', '3', '.210 error rate']);
  await page.getByRole('heading', { level: 1, name: /the most: weather.pressure, 16 times its threshold/ }).waitFor();
  await page.getByRole('button', { name: 'weather.pressure' }).click();
  await page.getByText(/Wasserstein distance, in standard deviations of the reference, of each finished window.* alerts ask for more than .500/).waitFor();
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await check(page, `Drift by other measures, ${colorScheme}`);
  }
  await done();
});

test('Try it predicts, and its curl and Python give the same answer', { timeout: 60000 }, async () => {
  const { execFile } = await import('node:child_process');
  const run = (file, args) => new Promise((done, fail) => execFile(file, args, (e, out, err) => (e ? fail(new Error(`${e.message}\n${err}`)) : done(out))));
  const { page, done } = await open(flights, '#/try?model=late', { allow: ['400'] });
  await page.getByRole('button', { name: 'Take a recent event' }).click();
  await page.getByLabel('distance').fill('far');
  await page.getByRole('button', { name: 'Predict' }).click();
  await page.getByRole('alert').filter({ hasText: 'distance' }).waitFor();
  await page.getByLabel('distance').fill('1000');
  const [response] = await Promise.all([page.waitForResponse('**/v1/predict'), page.getByRole('button', { name: 'Predict' }).click()]);
  const p = (await response.json()).predictions[0].probability;
  await page.getByRole('heading', { name: `Probability ${(100 * p).toFixed(p < 0.1 ? 1 : 0)} %` }).waitFor();
  const text = (label) => page.getByRole('region', { name: label }).innerText();
  assert.equal(JSON.parse(await run('sh', ['-c', await text('curl call')])).predictions[0].probability, p);
  await page.getByRole('button', { name: 'Python' }).click();
  assert.match(await run('python3', ['-c', await text('Python call')]), new RegExp(String(p)));
  await page.getByRole('button', { name: 'grpcurl' }).click();
  assert.match(await text('grpcurl call'), /"distance": \{"double":1000\}[\s\S]*127\.0\.0\.1:\d+ freshet\.v1\.Freshet\/Predict/);
  await done();
});

test('Dead letters: empty, then reasons and samples without what is sensitive', { timeout: 60000 }, async () => {
  const { page, done } = await open(market, '#/letters');
  await page.getByRole('heading', { level: 1, name: 'Nothing was refused.' }).waitFor();
  for (const hash of ['#/flow', '#/models', '#/features', '#/drift', '#/try', '#/letters']) {
    await page.goto(`${market.url}/${hash}`);
    await settled(page);
    await check(page, `empty ${hash}`);
  }
  const at = (i) => new Date(Date.now() - 60000 + i * 1000).toISOString();
  await market.produce([
    { id: '1', customer: 'ann', amount: 12, email: secret, at: at(0) }, { id: '2', customer: 'bob', amount: -5, email: secret, at: at(1) },
    { customer: 'eve', amount: 7, email: secret, at: at(2) }, { id: '4', customer: 'dan', amount: -7, email: secret, at: at(3) },
  ]);
  await page.getByRole('heading', { level: 1, name: /3 records refused/ }).waitFor({ timeout: 20000 });
  await page.getByRole('button', { name: /^expect/ }).click();
  assert.match(page.url(), /reason=expect/);
  const samples = page.locator('.letters > li');
  await samples.nth(1).waitFor();
  assert.equal(await samples.count(), 2);
  assert.match(await samples.first().innerText(), /hmac-sha256:[0-9a-f]{64}/);
  await check(page, 'letters');
  await page.getByRole('link', { name: /Flow/ }).click();
  await page.getByRole('row', { name: /^orders/ }).getByRole('link', { name: /3/ }).waitFor();
  assert.ok(!(await page.content()).includes(secret));
  for (const path of ['overview', 'deadletters', 'recent', 'lineage']) assert.ok(!(await (await fetch(`${market.url}/v1/${path}`)).text()).includes(secret), path);
  await done();
});

test('with the keyboard alone: skip link, views, every control, and focus is seen', { timeout: 60000 }, async () => {
  const { page, done } = await open(flights, '#/flow');
  await page.getByRole('table').first().waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the answer');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'answer');
  await page.evaluate(() => { document.activeElement.blur(); window.scrollTo(0, 0); });
  const wanted = await page.evaluate(() => document.querySelectorAll('a[href], button, select, input, summary, [tabindex="0"]').length);
  const seen = new Set();
  for (let i = 0; i < wanted + 20; i++) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const e = document.activeElement, s = getComputedStyle(e);
      window.order ??= new Map();
      if (!window.order.has(e)) window.order.set(e, window.order.size);
      return { body: e === document.body, id: window.order.get(e), name: e.textContent.slice(0, 40), seen: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 };
    });
    if (at.body) continue;
    assert.ok(at.seen, `focus on ${at.name} is not seen`);
    seen.add(at.id);
  }
  assert.ok(seen.size >= wanted, `${seen.size} of ${wanted} controls were reached`);
  await page.getByRole('link', { name: 'Models' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: 'Models' }).and(page.locator('[aria-current=page]')).waitFor();
  await page.getByRole('button', { name: /^late.prior/ }).focus();
  await page.keyboard.press('Space');
  await page.getByRole('button', { name: /^late.prior/, pressed: true }).waitFor();
  await done();
});

test('theme and time zone are kept; the address is enough to see the same', async () => {
  const { page, context, done } = await open(flights, '#/models?metric=brier&points=30', { colorScheme: 'light', timezoneId: 'America/New_York', reducedMotion: 'reduce' });
  await page.getByRole('button', { name: 'Light colours; change to dark' }).click();
  await page.getByText(/^Trained until 30 Jan 2013, 23:\d\d UTC/).first().waitFor();
  await page.getByRole('button', { name: /^Times in UTC/ }).click();
  await page.getByText(/^Trained until 30 Jan 2013, 18:\d\d America\/New_York/).first().waitFor();
  const other = await context.newPage();
  await other.goto(page.url());
  await other.getByText(/America\/New_York/).first().waitFor();
  assert.equal(await other.evaluate(() => document.documentElement.dataset.theme), 'dark');
  assert.equal(await other.getByRole('combobox', { name: 'Score' }).inputValue(), 'brier');
  assert.equal(await other.evaluate(() => getComputedStyle(document.querySelector('button')).transitionDuration), '0s');
  await done();
});

test('slow: the page says so, and then shows what came', async () => {
  const { page, done } = await open(flights, '#/letters');
  await page.route('**/v1/history*', async (route) => { await new Promise((r) => setTimeout(r, 3000)); await route.continue(); });
  await page.goto(`${flights.url}/#/models`);
  await page.getByText('Still waiting for scores over event time: the server answers slowly.').waitFor();
  await check(page, 'slow');
  await page.getByRole('img', { name: /log-loss over event time/ }).waitFor();
  await done();
});

test('failing: what was known stays, with the reason', { timeout: 60000 }, async () => {
  const { page, done } = await open(flights, '#/drift', { allow: ['503'] });
  await page.getByRole('table').first().waitFor();
  await page.route('**/v1/drift*', (route) => route.fulfill({ status: 503, contentType: 'application/json', body: '{"error": {"code": "UNAVAILABLE", "message": "the store is away", "hint": "try again"}}' }));
  await page.getByRole('alert').filter({ hasText: 'No drift: the store is away; try again. What you see is what was known before.' }).waitFor({ timeout: 20000 });
  assert.ok(await page.getByRole('table').first().isVisible());
  await check(page, 'failing');
  await page.unroute('**/v1/drift*');
  await page.getByRole('alert').waitFor({ state: 'detached', timeout: 20000 });
  await done();
});

test('stale: a server that stands still is said to be quiet, and live again when it goes on', { timeout: 60000 }, async () => {
  const { page, done } = await open(flights, '#/flow');
  await page.locator('.link').filter({ hasText: 'Live' }).waitFor();
  flights.child.kill('SIGSTOP');
  try {
    await page.locator('.link').filter({ hasText: /Quiet, last heard \d+ s ago/ }).waitFor({ timeout: 20000 });
  } finally {
    flights.child.kill('SIGCONT');
  }
  await page.locator('.link').filter({ hasText: /Live$/ }).waitFor({ timeout: 20000 });
  await done();
});

test('without the stream the page asks; a stream that comes back is taken', { timeout: 60000 }, async () => {
  const { page, done } = await open(flights, '', { allow: ['Failed to load resource', '429'] });
  await page.route('**/v1/live', (route) => route.fulfill({ status: 429, contentType: 'application/json', body: '{"error": {"code": "RESOURCE_EXHAUSTED", "message": "32 clients listen already", "hint": ""}}' }));
  await page.reload();
  await page.locator('.link').filter({ hasText: 'Asking every few seconds' }).waitFor();
  await page.getByRole('table').first().waitFor();
  await page.unroute('**/v1/live');
  await page.locator('.link').filter({ hasText: 'Live' }).waitFor({ timeout: 30000 });
  await done();
});

test('a server that is killed and comes back is found again by itself', { timeout: 120000 }, async () => {
  const first = await shop();
  const { page, done } = await open(first, '#/flow', { allow: ['Failed to load resource', 'ERR_'] });
  await page.locator('.link').filter({ hasText: 'Live' }).waitFor();
  first.child.kill('SIGKILL');
  await page.locator('.link').filter({ hasText: 'No answer' }).waitFor({ timeout: 20000 });
  await page.getByRole('alert').filter({ hasText: 'No answer from the server' }).waitFor();
  await check(page, 'gone');
  const second = await first.start(first.url.replace('http://', ''));
  await page.locator('.link').filter({ hasText: 'Live' }).waitFor({ timeout: 40000 });
  await done();
  await second.stop();
});

test('with tokens: the page asks for one, keeps it out of reach of scripts, and says what a scope lacks', { timeout: 60000 }, async () => {
  const canary = 'canary-token-0123456789';
  const locked = await shop('127.0.0.1:0', `, tokens: [{token: ${canary}, scopes: [lookup, predict]}]`);
  const { page, context, done } = await open(locked, '#/models', { allow: ['401', '403'] });
  await page.getByRole('heading', { name: 'This server asks for a token' }).waitFor();
  await check(page, 'sign in');
  await page.getByLabel('Token').fill('a-wrong-token-0123456789');
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByRole('alert').filter({ hasText: 'no valid token' }).waitFor();
  await page.getByLabel('Token').fill(canary);
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.locator('.link').filter({ hasText: 'Live' }).waitFor();
  const cookie = (await context.cookies()).find((c) => c.name === 'freshet_session');
  assert.ok(cookie.httpOnly && cookie.sameSite === 'Strict' && !cookie.value.includes(canary));
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, document.documentElement.innerHTML]));
  assert.ok(!kept.includes(canary), 'the token is kept');
  await page.getByRole('button', { name: 'Freeze pays', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Freeze', exact: true }).click();
  await page.getByRole('alert').filter({ hasText: 'this needs admin' }).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'This server asks for a token' }).waitFor();
  await done();
  await locked.stop();
});

test('the bundle is served with its policy, packed, and kept by browsers', async () => {
  const page = await fetch(`${flights.url}/`);
  assert.match(page.headers.get('content-security-policy'), /default-src 'self'/);
  assert.equal(page.headers.get('cache-control'), 'no-cache');
  const script = (await page.text()).match(/src="\.\/(assets\/[^"]+\.js)"/)[1];
  const r = await fetch(`${flights.url}/${script}`);
  assert.equal(r.headers.get('content-encoding'), 'gzip');
  assert.match(r.headers.get('cache-control'), /immutable/);
  assert.equal((await fetch(`${flights.url}/`, { headers: { 'If-None-Match': page.headers.get('etag') } })).status, 304);
  assert.equal((await fetch(`${flights.url}/nothing`)).status, 404);
});
