// Drift: what has changed, and by how much more than chance?
import { useApi } from '../api.js';
import { Histogram, Lines, styleOf } from '../chart.jsx';
import { count, directions, levels, measures, number, percent, plural, score, time } from '../format.js';
import { Answer, Card, Empty, Known, Select, Sign, Spark, Table } from '../ui.jsx';

export function Drift({ q, filter, theme }) {
  const drift = useApi('v1/drift', 5);
  const spread = useApi('v1/distributions', 5);
  const lineage = useApi('v1/lineage');
  const triggers = drift.data?.triggers || [];
  const trigger = triggers.find((t) => t.name === q.trigger) || triggers[0];
  const read = readers(lineage.data, trigger);
  return (
    <>
      <Verdict drift={drift} trigger={trigger} read={read} />
      <Known of={drift} what="drift">{(d) => (
        <>
          {triggers.length > 1 && <div class="filters"><Select label="Trigger" value={trigger.name} options={triggers.map((t) => t.name)} onChange={(t) => filter({ trigger: t, feature: '' })} /></div>}
          <Card title="Features, the most changed first" id="ranked">
            {trigger?.features.length ? <Ranked trigger={trigger} spread={spread.data?.triggers.find((t) => t.name === trigger.name)} q={q} filter={filter} theme={theme} read={read} />
              : <Empty>Nothing can be said yet: {trigger ? `the first ${count(trigger.reference)} examples are the reference, and a window of ${count(trigger.window)} more is compared with it` : 'no examples have come'}.</Empty>}
          </Card>
          <Card title="Losses" id="losses">
            {d.models.length ? <Losses models={d.models} /> : <Empty>No label has been scored yet.</Empty>}
          </Card>
        </>
      )}</Known>
    </>
  );
}

const watched = { log_loss: 'log-loss', error: 'error rate', absolute_error: 'absolute error' };

/** Losses are what the detectors say: which one, its level, the direction, and since when. */
function Losses({ models }) {
  return (
    <>
      <Table caption="What the detector on the loss of each model says" hideCaption right={[5, 6, 7, 8]}
        head={['Model', 'Detector', 'Level', 'The model', 'Event time', 'Changes', 'Warnings', 'Mean since the last change', 'Over labels']}
        rows={models.map((m) => [<a href={`#/models?model=${encodeURIComponent(m.of)}`}>{m.name}</a>, <code>{m.detector}</code>,
          <Sign state={m.level !== 'none' && m.direction === 'up' ? 'warn' : 'ok'}>{levels[m.level]}</Sign>, directions[m.direction] || '–', time(m.at),
          count(m.changes), count(m.warnings), `${score(m.loss)} ${watched[m.measure] || m.measure}`, count(m.window)])} />
      <p class="hint">Drift: the detector has seen the loss change. Warning: it suspects that. The time is that of the example with which it said so.</p>
    </>
  );
}

/** readers tells by column of a trigger which models read it; a column may be there only for what is derived from it. */
function readers(graph, trigger) {
  const by = new Map();
  if (!graph || !trigger) return by;
  const asked = new Set(graph.edges.filter((e) => e.from === `trigger:${trigger.name}`).map((e) => e.to));
  for (const n of graph.nodes) if (asked.has(n.id)) for (const c of n.columns) by.set(c, [...(by.get(c) || []), n.name]);
  return by;
}

function Verdict({ drift, trigger, read }) {
  const question = 'What has changed since the reference, by more than chance?';
  if (!drift.data) return <Answer question={question} state="idle">{drift.error ? 'Not known.' : 'Reading …'}</Answer>;
  if (!trigger?.features.length) return <Answer question={question} state="idle">Nothing can be said yet.</Answer>;
  const worst = trigger.features.find((f) => read.has(f.name)) || trigger.features[0];
  return (
    <Answer question={question} state={trigger.drifted ? 'warn' : 'ok'}
      detail={<>The newest {count(trigger.window)} examples of {trigger.name} against the first {count(trigger.reference)}. The threshold grows when samples are small: by chance alone a feature passes it in about one window of a thousand.</>}>
      {trigger.drifted ? `${trigger.drifted} of ${plural(trigger.features.length, 'feature')} changed; the most: ${worst.name}, ${number(worst.score / worst.threshold, 2)} times its threshold.` : `None of ${plural(trigger.features.length, 'feature')} changed.`}
    </Answer>
  );
}

function Bullet({ value, limit, top }) {
  const x = (v) => (100 * Math.min(v, top)) / top;
  return (
    <svg class="bullet" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">
      <rect class="track" x="0" y="3" width="100" height="6" />
      <rect class={value > limit ? 'over' : 'under'} x="0" y="3" width={x(value)} height="6" />
      <line x1={x(limit)} x2={x(limit)} y1="0" y2="12" vector-effect="non-scaling-stroke" />
    </svg>
  );
}

function Ranked({ trigger, spread, q, filter, theme, read }) {
  const over = (f) => f.score / f.threshold; // measures differ in their units
  const top = Math.min(Math.max(...trigger.features.map(over), 1.25), 20);
  const at = new Map((spread?.features || []).map((f, i) => [f.name, i]));
  const history = (name) => (at.has(name) ? spread.windows.map((w) => w.scores[at.get(name)]) : []);
  const chosen = trigger.features.find((f) => f.name === q.feature);
  const only = q.only === 'drifted';
  const rows = trigger.features.filter((f) => !only || f.drifted);
  return (
    <>
      <div class="filters"><label class="check"><input type="checkbox" checked={only} onChange={(e) => filter({ only: e.currentTarget.checked ? 'drifted' : '' })} /> Only what changed</label></div>
      {chosen && <Chosen f={chosen} windows={spread?.windows || []} values={history(chosen.name)} shape={spread?.features[at.get(chosen.name)]} theme={theme} close={() => filter({ feature: '' })} />}
      <Table caption={`Features of ${trigger.name} by score against threshold`} hideCaption right={[4, 5, 6, 7]}
        head={['Feature', 'State', 'Measure', 'Score and threshold', 'Score', 'Threshold', 'Missing', 'Unseen', 'Over the windows']}
        rows={rows.map((f) => ({
          key: f.name, class: f.name === q.feature ? 'chosen' : '', cells: [
            <button type="button" class="quiet" aria-pressed={f.name === q.feature} onClick={() => filter({ feature: f.name === q.feature ? '' : f.name })}>{f.name}{read.size > 0 && !read.has(f.name) && <small> read by no model</small>}</button>,
            f.drifted ? <Sign state="warn">changed</Sign> : <Sign state="ok">steady</Sign>, <code>{f.measure}</code>, <Bullet value={over(f)} limit={1} top={top} />,
            score(f.score), score(f.threshold), percent(f.missing), percent(f.unseen), <Spark values={history(f.name)} />,
          ],
        }))} />
    </>
  );
}

function Chosen({ f, windows, values, shape, theme, close }) {
  const points = values.map((v, i) => [Date.parse(windows[i].until) / 1000, v]);
  return (
    <div class="definition" aria-live="polite">
      <div class="card-head"><h3>{f.name}</h3><button type="button" class="quiet" onClick={close}>Close</button></div>
      <div class="two">
        {points.length > 0 && <Lines theme={theme} series={[{ name: 'score', style: styleOf(0), points }]} limit={f.threshold} limitName="Threshold"
          caption={`${measures[f.measure] || f.measure} of each finished window, at the event time of its end. The dashed line is the threshold, ${score(f.threshold)}; alerts ask for more than ${score(f.alert)}.`}
          label={`Drift of ${f.name} over ${plural(points.length, 'window')}, from ${time(windows[0].until)} to ${time(windows.at(-1).until)}: now ${score(f.score)}, threshold ${score(f.threshold)}, greatest ${score(Math.max(...values))}.`} />}
        {shape && <Histogram feature={shape} />}
      </div>
    </div>
  );
}
