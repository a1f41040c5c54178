// Models: how good is each one now, and is it getting better or worse?
import { useState } from 'preact/hooks';
import { call, useApi } from '../api.js';
import { Calibration, Lines, styleOf } from '../chart.jsx';
import { count, directions, levels, number, plural, score, span, time } from '../format.js';
import { Answer, Card, Confirm, Empty, Facts, Known, Select, Sign, Table, Trouble } from '../ui.jsx';

const states = { READY: ['ok', 'answers'], HELD: ['warn', 'held: the guard refused a newer version'], STALE: ['warn', 'stale'], NOT_READY: ['idle', 'no version yet'] };
const roles = { CHAMPION: 'champion', CHALLENGER: 'challenger', BASELINE: 'baseline' };
const higher = ['roc_auc', 'accuracy', 'r2', 'pr_auc', 'f1', 'kappa'];
const words = { log_loss: 'log-loss', roc_auc: 'AUC', brier: 'Brier score', accuracy: 'accuracy', mae: 'mean absolute error', rmse: 'root mean squared error' };
const metricsOf = (task) => (task === 'binary' ? ['log_loss', 'roc_auc', 'brier', 'accuracy'] : task === 'multiclass' ? ['log_loss', 'brier', 'accuracy'] : ['mae', 'rmse']);
const valueOf = (list, name) => Number(list.find((s) => s.name === name)?.value ?? NaN);

export function Models({ live, q, filter, theme }) {
  const champions = live?.models.filter((m) => m.role === 'CHAMPION') || [];
  const champion = champions.find((m) => m.name === q.model) || champions[0];
  const detail = ['30', '60', '120', '240'].includes(q.points) ? q.points : '60';
  const history = useApi(champion ? `v1/history?model=${encodeURIComponent(champion.name)}&points=${detail}` : null, 5);
  const about = useApi(champion ? `v1/models/${encodeURIComponent(champion.name)}` : null, 5);
  if (!live) return <Answer question="How good are the models?" state="idle">Waiting for the first word of the server …</Answer>;
  if (!champion) return <Answer question="How good are the models?" state="idle">This project has no models.</Answer>;
  const members = live.models.filter((m) => m.of === champion.name);
  const metrics = metricsOf(champion.task);
  const metric = metrics.includes(q.metric) ? q.metric : metrics[0];
  return (
    <>
      <Verdict champion={champion} members={members} metric={metric} />
      <div class="filters">
        {champions.length > 1 && <Select label="Model" value={champion.name} options={champions.map((m) => m.name)} onChange={(model) => filter({ model, hide: '' })} />}
        <Select label="Score" value={metric} options={metrics.map((m) => ({ value: m, label: words[m] || m }))} onChange={(m) => filter({ metric: m })} />
        <Select label="Points" value={detail} options={['30', '60', '120', '240']} onChange={(points) => filter({ points })} />
      </div>
      <Card title={`${words[metric] || metric} over event time`} id="curve">
        <Known of={history} what="scores over event time">{(h) => <Curve members={h.members} metric={metric} q={q} filter={filter} theme={theme} champion={champion} />}</Known>
      </Card>
      <Card title="Who is best" id="board"><Board {...{ members, metric, metrics, champion, control: live.control }} /></Card>
      <div class="two">
        <Card title="Does it mean what it says?" id="calibration">
          <Known of={history} what="the calibration">{(h) => {
            const bins = h.members.find((m) => m.name === champion.name)?.calibration || [];
            return bins.length ? <Calibration name={champion.name} bins={bins} /> : <Empty>{metrics[0] === 'mae' ? 'Only answers that are probabilities are calibrated.' : 'No answer has been scored yet.'}</Empty>;
          }}</Known>
        </Card>
        <Card title="This version" id="version">
          <Known of={about} what="the version">{(d) => <Version d={d} />}</Known>
        </Card>
      </div>
      <Card title="By calendar month" id="months">
        <Known of={about} what="scores by month">{(d) => (d.months.length
          ? <Table caption={`${champion.name}: scores by month of event time`} hideCaption head={['Month', 'Labels', ...metrics.map((m) => words[m] || m)]} right={metrics.map((_, i) => i + 1).concat(metrics.length + 1)}
            rows={d.months.map((m) => [m.month, count(m.labels), ...metrics.map((k) => score(valueOf(m.scores, k)))])} />
          : <Empty>No label has been scored yet.</Empty>)}</Known>
      </Card>
    </>
  );
}

function Verdict({ champion, members, metric }) {
  const question = 'How good are the answers, each judged before its label was known?';
  const own = valueOf(champion.scores, metric);
  if (!Number.isFinite(own)) return <Answer question={question} state={states[champion.state][0]}>{champion.name} has not been judged yet: no label has come.</Answer>;
  const better = (a, b) => (higher.includes(metric) ? a > b : a < b);
  const rivals = members.filter((m) => m.name !== champion.name && Number.isFinite(valueOf(m.scores, metric)));
  const best = rivals.reduce((a, m) => (a && !better(valueOf(m.scores, metric), valueOf(a.scores, metric)) ? a : m), null);
  const beaten = best && better(valueOf(best.scores, metric), own);
  const equal = best && valueOf(best.scores, metric) === own;
  return (
    <Answer question={question} state={champion.state === 'READY' ? (beaten ? 'warn' : 'ok') : states[champion.state][0]}
      detail={<>Trained until {time(champion.trained_until, true)} on {plural(champion.learned, 'label')}. {higher.includes(metric) ? 'Higher' : 'Lower'} is better.{champion.frozen ? ' It is frozen and learns nothing.' : ''}</>}>
      {champion.name}: {words[metric] || metric} {score(own)}
      {best ? (beaten ? `; ${best.name} is better with ${score(valueOf(best.scores, metric))}.` : equal ? `, as good as ${best.name}.` : `, better than all that challenge it (next: ${best.name}, ${score(valueOf(best.scores, metric))}).`) : '.'}
    </Answer>
  );
}

function Curve({ members, metric, q, filter, theme, champion }) {
  const scored = members.filter((m) => m.points.length);
  if (!scored.length) return <Empty>No label has been scored since this process began. The curve begins with the first one.</Empty>;
  const hidden = new Set(q.hide === undefined ? members.filter((m) => m.role === 'BASELINE').map((m) => m.name) : q.hide.split(',').filter((n) => n && n !== '-'));
  const style = new Map(members.map((m, i) => [m.name, styleOf(i, m.role === 'BASELINE')]));
  const sec = (t) => Date.parse(t) / 1000;
  const series = scored.filter((m) => !hidden.has(m.name)).map((m) => {
    const points = m.points.map((p) => [sec(p.from), valueOf(p.scores, metric)]);
    const banded = m.name === champion.name && (metric === 'log_loss' || metric === 'mae');
    return { name: m.name, style: style.get(m.name), points, band: banded ? m.points.map((p, i) => [points[i][1] - Number(p.half_band), points[i][1] + Number(p.half_band)]) : undefined };
  });
  const own = members.find((m) => m.name === champion.name);
  const said = (list, warning) => (list || []).map((m) => ({ at: sec(m.at), rose: m.rose, warning }));
  const marks = hidden.has(champion.name) || !own ? [] : [...said(own.marks, false), ...said(own.warnings, true)].sort((a, b) => a.at - b.at);
  const detector = own?.detector || 'the detector';
  const changes = marks.filter((m) => !m.warning).length;
  const toggle = (name) => {
    hidden.has(name) ? hidden.delete(name) : hidden.add(name);
    filter({ hide: [...hidden].join(',') || '-' });
  };
  const first = scored[0].points[0], last = scored[0].points.at(-1);
  const label = `${words[metric] || metric} over event time from ${time(first.from)} to ${time(last.from)}: ${series.map((s) => `${s.name} from ${score(s.points[0][1])} to ${score(s.points.at(-1)[1])}`).join(', ')}. ${plural(changes, 'change')} of the mean loss of ${champion.name} and ${plural(marks.length - changes, 'warning')} of one, by ${detector}.`;
  return (
    <>
      <div class="legend" role="group" aria-label="Models shown">
        {members.map((m) => {
          const s = style.get(m.name);
          return (
            <button type="button" key={m.name} aria-pressed={!hidden.has(m.name)} onClick={() => toggle(m.name)}>
              <svg viewBox="0 0 28 8" aria-hidden="true"><line x1="1" x2="27" y1="4" y2="4" class={s.color.slice(2)} stroke-width={s.width + 0.5} stroke-dasharray={s.dash.join(' ')} /></svg>{m.name} <small>{roles[m.role]}</small>
            </button>
          );
        })}
      </div>
      {series.length ? <Lines caption={`A point is about ${plural(first.labels, 'label')}, at the event time of its first question. The band is 1.96 standard errors of the mean, labels taken as independent. Lines that leave the axis are in the table. ▲ marks where the loss of ${champion.name} rose, ▼ where it fell, as ${detector} sees it; △ and ▽ where that began to suspect so.`}
        {...{ label, series, marks, detector, theme }} /> : <Empty>Every model is hidden; choose one above.</Empty>}
    </>
  );
}

function Board({ members, metric, metrics, champion, control }) {
  const [asked, ask] = useState(null);
  const [said, say] = useState(null);
  const [error, fail] = useState(null);
  const own = valueOf(champion.scores, metric);
  const act = async ({ name, verb }) => {
    ask(null);
    fail(null);
    try {
      await call('v1/control', { model: name, verb });
      say(`${verb === 'freeze' ? 'Freeze' : 'Thaw'} of ${name} is written; it takes effect at its place in the order.`);
    } catch (e) {
      fail(e);
    }
  };
  const rows = members.map((m) => {
    const [state, word] = states[m.state];
    const d = valueOf(m.scores, metric) - own;
    const verb = m.frozen ? 'thaw' : 'freeze';
    return {
      key: m.name, cells: [
        <span key="n">{m.name} <small>{roles[m.role]}</small></span>,
        m.frozen ? <Sign state="info">frozen</Sign> : <Sign state={state}>{word}</Sign>,
        ...metrics.map((k) => score(valueOf(m.scores, k))),
        m.name === champion.name ? '' : Number.isFinite(d) ? `${d > 0 ? '+' : d < 0 ? '−' : '±'}${score(Math.abs(d))}` : '–',
        count(m.learned),
        control && <button type="button" onClick={() => { say(null); ask({ name: m.name, verb }); }}>{verb === 'freeze' ? 'Freeze' : 'Thaw'}<span class="sr"> {m.name}</span></button>,
      ],
    };
  });
  return (
    <>
      {error && <Trouble error={error} />}
      <p role="status" class="said">{said && <Sign state="ok">{said}</Sign>}</p>
      <Table caption="Scores so far of all models that answer the same question" hideCaption right={metrics.map((_, i) => i + 2).concat(metrics.length + 2, metrics.length + 3)}
        head={['Model', 'State', ...metrics.map((m) => words[m] || m), `${words[metric] || metric} against ${champion.name}`, 'Labels learned', ...(control ? ['Learning'] : [])]} rows={rows} />
      {asked && (
        <Confirm title={`${asked.verb === 'freeze' ? 'Freeze' : 'Thaw'} ${asked.name}?`} action={asked.verb === 'freeze' ? 'Freeze' : 'Thaw'} onYes={() => act(asked)} onNo={() => ask(null)}>
          <p>{asked.verb === 'freeze'
            ? `${asked.name} goes on answering from what it knows, and learns nothing more until it is thawed.`
            : `${asked.name} learns again from the labels that come from now on. Those that came while it was frozen are not learned.`} The record takes its place in the order of events, so every replay does the same.</p>
        </Confirm>
      )}
    </>
  );
}

function Version({ d }) {
  const { model: m } = d;
  return (
    <>
      <Facts list={[
        ['Version', m.version ? <>entry {count(m.version.seq)} of <code>{m.version.log}</code></> : 'none yet'],
        ['Trained until', time(m.trained_until, true)], ['Staleness', m.staleness ? span(m.staleness) : '–'],
        m.drift?.detector && ['Drift of its loss', <>{m.drift.detector}: {levels[m.drift.level]}{m.drift.direction && `, ${directions[m.drift.direction]}`}{m.drift.at && `, ${time(m.drift.at)}`}; {plural(m.drift.changes, 'change')}, {plural(m.drift.warnings, 'warning')}</>],
        ['Labels scored', count(d.scored)], ['Answers that wait', count(d.pending)], ['Size of its state', `${number(d.state_bytes / 1024, 3)} KiB`],
        d.state_sha256 && ['State hash', <><code class="hash">{d.state_sha256}</code> at entry {count(d.hashed_at?.seq)}</>],
        d.label && ['Label', <><code>{d.label.value || 'feedback'}</code> from {d.label.from}{d.label.wait ? `, awaited for ${span(d.label.wait)}` : ''}</>],
      ]} />
      <details><summary>Pipeline and {plural(d.columns.length, 'column')}</summary><p><code>{m.pipeline}</code></p><p class="columns">{d.columns.map((c) => <code key={c.name}>{c.name}</code>)}</p></details>
    </>
  );
}
